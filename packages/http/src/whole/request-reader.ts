import type { IncomingHttpHeaders } from "node:http";
import { createRecentMap, type RecentMap } from "@rialto/async";
import { type FieldLine, Fields, ownCopy, readFieldLine } from "../field-line.ts";

/** A request of HTTP/1.1 that came as a whole. */
export interface WholeRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** By their names in lower case. */
  readonly fields: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Not HEAD, whose response has no body but the length of one, nor OPTIONS, which has a path that is none. */
const startPattern = /(GET|POST|PUT|PATCH|DELETE) (\/[!-~]*) HTTP\/1\.1\r\n/y;
/** A longer start line is left to Node: it would be kept with its connection. */
const startCharsMax = 1_024;
const lengthPattern = /^\d{1,10}$/;

/** Fields that change how a request or its connection is read, or that Node reads in a way of its own. */
const refusedFields: ReadonlySet<string> = new Set([
  "__proto__",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const fieldsMax = 64;
/** How many lines of a connection are kept, and how long one of them may be. */
const keptLinesMax = 16;
const keptCharsMax = 128;

/** How many longer lines of all connections are kept, and how long one of them may be: it holds a token. */
const longLinesMax = 1_024;
const longLineCharsMax = 2_048;

/** Long lines that requests had of late, by their text. */
export type LongLines = RecentMap<FieldLine>;

/** Creates the lines that the connections of one port share: a client's next connection brings the same token. */
export function createLongLines(): LongLines {
  return createRecentMap(longLinesMax);
}

/**
 * Reads the requests of one connection that are as nearly all are: one in one piece, with nothing after it, one length
 * at most, and no field twice. A client sends nearly the same lines again and again, so each line is compared with the
 * one that stood in its place before.
 */
export class WholeRequestReader {
  #start = { text: "", method: "", path: "" };
  readonly #lines: FieldLine[] = [];
  readonly #longLines: LongLines;

  constructor(longLines: LongLines) {
    this.#longLines = longLines;
  }

  /**
   * Returns the request that these bytes are. Undefined where they are anything else: less, more, not well-formed, or
   * well-formed in a way that is not looked at here. They are to be read by Node's parser then.
   */
  read(bytes: Buffer, headBytesMax: number): WholeRequest | undefined {
    const text = bytes.toString("latin1", 0, Math.min(bytes.length, headBytesMax));
    const end = text.indexOf("\r\n\r\n");
    if (end === -1 || !this.#readStart(text)) return undefined;
    const bodyAt = end + 4;
    const fields = this.#readFields(text, end + 2);
    if (fields?.host === undefined || bytes.length - bodyAt !== lengthOf(fields)) return undefined;
    const { method, path } = this.#start;
    return { method, path, fields, body: bytes.subarray(bodyAt) };
  }

  #readStart(text: string): boolean {
    if (this.#start.text !== "" && text.startsWith(this.#start.text)) return true;
    startPattern.lastIndex = 0;
    const match = startPattern.exec(text);
    if (match === null || match[0].length > startCharsMax) return false;
    this.#start = { text: ownCopy(match[0]), method: ownCopy(match[1] ?? ""), path: ownCopy(match[2] ?? "") };
    return true;
  }

  /** Reads the lines from the start line up to `end`. */
  #readFields(text: string, end: number): IncomingHttpHeaders | undefined {
    const fields = new Fields();
    let at = this.#start.text.length;
    for (let index = 0; at < end; index += 1) {
      const kept = this.#lines[index];
      const isKept = kept !== undefined && text.startsWith(kept.text, at);
      const line = isKept ? kept : this.#readLine(text, at, index);
      if (line === undefined || index === fieldsMax) return undefined;
      if (fields[line.name] !== undefined) return undefined;
      fields[line.name] = line.value;
      at += line.text.length;
    }
    return fields;
  }

  /** Returns a line that is not the one that stood in its place before; undefined where it is not accepted. */
  #readLine(text: string, at: number, index: number): FieldLine | undefined {
    const length = text.indexOf("\r\n", at) + 2 - at;
    const isLong = length > keptCharsMax && length <= longLineCharsMax;
    const known = isLong ? this.#longLines.get(text.slice(at, at + length)) : undefined;
    if (known !== undefined) return known;
    const line = readFieldLine(text, at);
    if (line === undefined) return undefined;
    const { name, value } = line;
    if (refusedFields.has(name) || (name === "connection" && value !== "keep-alive")) return undefined;
    // Of its own, since others may keep it: a token is kept for as long as it is valid.
    const own = { text: ownCopy(line.text), name: ownCopy(name), value: ownCopy(value) };
    if (isLong) this.#longLines.set(own.text, own);
    else if (index < keptLinesMax && length <= keptCharsMax) this.#lines[index] = own;
    return own;
  }
}

/** A request without a length has no body. */
function lengthOf({ "content-length": length }: IncomingHttpHeaders): number | undefined {
  if (length === undefined) return 0;
  return lengthPattern.test(length) ? Number(length) : undefined;
}
