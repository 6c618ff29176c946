import { type FieldLine, Fields, ownCopy, readFieldLine } from "../field-line.ts";
import type { HttpFields } from "./http-client.ts";
import { ResponseFault } from "./http-faults.ts";

/** The first line of a response. */
export interface StatusLine {
  /** Of HTTP/1.x. */
  readonly minorVersion: 0 | 1;
  readonly status: number;
}

// RFC 9112, section 4, and as strict as `readFieldLine`.
const statusPattern = /HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t -~\x80-\xff]*)?\r\n/y;

/** How many lines are kept, and how long one of them may be. */
const keptLinesMax = 32;
const keptCharsMax = 256;

/**
 * Reads the heads of one connection. A server sends nearly the same lines again and again, so each line is compared
 * with the one that stood in its place before, and only a line that differs is taken apart.
 */
export class HeadReader {
  #statusText = "";
  #statusLine: StatusLine | undefined;
  readonly #lines: FieldLine[] = [];

  /** Reads a head, which ends with an empty line. Throws a `ResponseFault` where it is none. */
  read(head: string): { readonly line: StatusLine; readonly fields: HttpFields } {
    const line = this.#readStatus(head);
    const fields = new Fields();
    const end = head.length - 2;
    let at = this.#statusText.length;
    for (let index = 0; at < end; index += 1) {
      const kept = this.#lines[index];
      const isKept = kept !== undefined && head.startsWith(kept.text, at);
      const field = isKept ? kept : readLine(head, at);
      if (!isKept) this.#keep(field, index);
      add(fields, field);
      at += field.text.length;
    }
    return { line, fields };
  }

  #readStatus(head: string): StatusLine {
    if (this.#statusLine !== undefined && head.startsWith(this.#statusText)) return this.#statusLine;
    statusPattern.lastIndex = 0;
    const match = statusPattern.exec(head);
    if (match === null) throw new ResponseFault("the response does not begin with a status line");
    this.#statusText = ownCopy(match[0]);
    this.#statusLine = { minorVersion: match[1] === "0" ? 0 : 1, status: Number(match[2]) };
    return this.#statusLine;
  }

  #keep({ text, name, value }: FieldLine, index: number): void {
    if (index >= keptLinesMax || text.length > keptCharsMax) return;
    this.#lines[index] = { text: ownCopy(text), name: ownCopy(name), value: ownCopy(value) };
  }
}

/**
 * Reads trailers: lines of fields, then an empty line. Throws a `ResponseFault` where they are none, and where they say
 * how long the body was that they follow (RFC 9110, section 6.5.1).
 */
export function readTrailers(text: string): HttpFields {
  const fields = new Fields();
  for (let at = 0; at < text.length - 2; ) {
    const field = readLine(text, at);
    if (lengthFields.has(field.name)) throw new ResponseFault(`the response has ${field.name} among its trailers`);
    add(fields, field);
    at += field.text.length;
  }
  return fields;
}

const lengthFields: ReadonlySet<string> = new Set(["content-length", "transfer-encoding"]);

function readLine(head: string, at: number): FieldLine {
  const line = readFieldLine(head, at);
  if (line === undefined) throw new ResponseFault("a line of the response's head is no field");
  return line;
}

/** A field that comes twice has both values. */
function add(fields: HttpFields, { name, value }: FieldLine): void {
  const other = fields[name];
  if (other === undefined) fields[name] = value;
  else if (typeof other === "string") fields[name] = [other, value];
  else other.push(value);
}
