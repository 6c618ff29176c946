import { STATUS_CODES } from "node:http";
import type { FieldList } from "./field-list.ts";

const namePattern = /^[\w!#$%&'*+.^`|~-]+$/;
/** As Node's server reads a list of options in which one is `close`. */
const closePattern = /(?:^|\W)close(?:$|\W)/i;
/** No character above 255: as one byte it would be another one, a line's end for example. */
const valuePattern = /^[\t -~\x80-\xff]*$/;

/** How many lines are kept, and how long one of them may be. */
const keptNamesMax = 256;
const keptCharsMax = 256;

/** The head of a response but for the fields of its connection and its body. */
export interface ResponseText {
  readonly text: string;
  readonly hasLength: boolean;
  /** It says itself that the connection ends with it. */
  readonly isLast: boolean;
}

/** Writes the heads of a server's responses. */
export interface ResponseWriter {
  /** Returns the status line, the fields and the date. Throws for a name or a value that HTTP does not allow. */
  head(status: number, fields: FieldList): ResponseText;
  /** Returns the lines of these fields, as `head` does. */
  lines(fields: FieldList): string;
  /** Throws where `head` would for this field, with its name in lower case. */
  assertField(name: string, value: string): void;
  /** The lines about a connection that is kept, and about one that ends. */
  readonly kept: string;
  readonly last: string;
}

interface Line {
  readonly value: string;
  readonly line: string;
}

/**
 * Creates a writer. Most fields have the value that they had in the response before, so the line of each name is kept,
 * and a value is looked at only where it differs.
 */
export function createResponseWriter(idleMs: number): ResponseWriter {
  const lines = new Map<string, Line>();
  let dateLine = "";
  let dateUntil = 0;

  /** The line of a name is kept only where both were accepted. */
  function assertField(known: Line | undefined, name: string, value: string): void {
    if (known?.value === value) return;
    if (known === undefined && !namePattern.test(name)) throw new TypeError(`a response has no field ${name}`);
    if (!valuePattern.test(value)) throw new TypeError(`the field ${name} has characters that HTTP does not allow`);
  }

  function lineOf(name: string, value: string): string {
    const known = lines.get(name);
    if (known?.value === value) return known.line;
    assertField(known, name, value);
    const line = `${name}: ${value}\r\n`;
    const isKept = line.length <= keptCharsMax && (known !== undefined || lines.size < keptNamesMax);
    if (isKept) lines.set(name, { value, line });
    return line;
  }

  /** The date has whole seconds. */
  function date(): string {
    const now = Date.now();
    if (now >= dateUntil || now < dateUntil - 1_000) {
      dateUntil = now - (now % 1_000) + 1_000;
      dateLine = `date: ${new Date(now).toUTCString()}\r\n`;
    }
    return dateLine;
  }

  return {
    lines(fields) {
      let text = "";
      for (let at = 0; at < fields.length; at += 2) text += lineOf(fields[at] ?? "", fields[at + 1] ?? "");
      return text;
    },
    assertField: (name, value) => assertField(lines.get(name), name, value),
    kept: `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(idleMs / 1_000)}\r\n`,
    last: "connection: close\r\n",
    head(status, fields) {
      let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
      let hasLength = false;
      let hasDate = false;
      let isLast = false;
      for (let at = 0; at < fields.length; at += 2) {
        const name = fields[at] ?? "";
        const value = fields[at + 1] ?? "";
        if (name === "connection") isLast ||= closePattern.test(value);
        else if (name !== "keep-alive" && name !== "transfer-encoding") text += lineOf(name, value);
        if (name === "content-length") hasLength = true;
        else if (name === "date") hasDate = true;
      }
      return { text: hasDate ? text : text + date(), hasLength, isLast };
    },
  };
}
