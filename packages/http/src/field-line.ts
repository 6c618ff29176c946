import type { IncomingHttpHeaders } from "node:http";

/** A line of a head, and the field in it. */
export interface FieldLine {
  /** With its end. */
  readonly text: string;
  /** In lower case. */
  readonly name: string;
  readonly value: string;
}

// RFC 9112, section 5, and strict: a line ends with CRLF, a name with its colon, and no line goes on in the next one.
// The expression is read at a place, and goes back nowhere: it takes time in proportion to the line.
const fieldPattern = /([\w!#$%&'*+.^`|~-]+):([\t -~\x80-\xff]*)\r\n/y;

/** Reads the line of a field that begins at a place of a text. Undefined where there is none. */
export function readFieldLine(head: string, at: number): FieldLine | undefined {
  fieldPattern.lastIndex = at;
  const match = fieldPattern.exec(head);
  if (match === null) return undefined;
  const [text, name = "", value = ""] = match;
  return { text, name: name.toLowerCase(), value: withoutBlanks(value) };
}

/** A part of a text keeps the whole text in memory: what is kept for longer is copied. */
export function ownCopy(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/**
 * Fields have no prototype, since one may have the name of something that every object inherits. An object of a class
 * without a prototype costs a third of `Object.create(null)`, which makes a dictionary.
 */
function NoPrototype(): void {}
NoPrototype.prototype = Object.create(null);
// TypeScript knows no constructor but that of a class, whose prototype cannot be replaced.
export const Fields = NoPrototype as unknown as new () => IncomingHttpHeaders;

/** The value without spaces and tabs around it. `trim` would cut bytes of UTF-8 too. */
function withoutBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value, start)) start += 1;
  while (start < end && isBlank(value, end - 1)) end -= 1;
  return value.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  return text[at] === " " || text[at] === "\t";
}
