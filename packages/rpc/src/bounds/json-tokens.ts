import { jsonNumberCharsMax } from "../limits.ts";
import type { IntegerRange } from "./json-integer.ts";
import { ScanStopped } from "./scan.ts";

// The tokens of JSON (RFC 8259), in bytes. What skips one throws `ScanStopped` where the bytes are no JSON.

/** A position in JSON. */
export interface JsonCursor {
  readonly bytes: Uint8Array;
  at: number;
}

/** Skips a byte order mark, as decoders do. */
export function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Skips white space. */
export function skipSpace(cursor: JsonCursor): void {
  for (;;) {
    const byte = cursor.bytes[cursor.at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
    cursor.at += 1;
  }
}

/** Skips this byte. Returns whether it is next. */
export function skipByte(cursor: JsonCursor, byte: number): boolean {
  if (cursor.bytes[cursor.at] !== byte) return false;
  cursor.at += 1;
  return true;
}

/** Skips null, true or false. Returns whether one is next. */
export function skipWord(cursor: JsonCursor): boolean {
  const word = words.find((one) => latin1(cursor, cursor.at, cursor.at + one.length) === one);
  cursor.at += word?.length ?? 0;
  return word !== undefined;
}

/** Skips a string, whose opening quotation mark is next. Returns whether a character of it is escaped. */
export function skipString(cursor: JsonCursor): boolean {
  const { bytes } = cursor;
  let isEscaped = false;
  let at = cursor.at + 1;
  for (let byte = bytes[at]; byte !== quote; byte = bytes[at]) {
    if (byte === undefined || byte < 0x20) {
      cursor.at = at;
      throw notJson(cursor);
    }
    if (byte === backslash) {
      isEscaped = true;
      cursor.at = at + 1;
      skipEscape(cursor);
      at = cursor.at;
    } else at += 1;
  }
  cursor.at = at + 1;
  return isEscaped;
}

/** Skips what follows a backslash. */
function skipEscape(cursor: JsonCursor): void {
  const { bytes, at } = cursor;
  const escaped = bytes[at];
  if (escaped === 0x75) {
    for (let digit = 1; digit <= 4; digit += 1) if (!isHexDigit(bytes[at + digit])) throw notJson(cursor);
    cursor.at += 4;
  } else if (escaped === undefined || !escapes.has(escaped)) throw notJson(cursor);
  cursor.at += 1;
}

/** Skips a number. Returns false where it has too many characters. */
export function skipNumber(cursor: JsonCursor): boolean {
  const from = cursor.at;
  while (isNumberByte(cursor.bytes[cursor.at])) {
    cursor.at += 1;
    if (cursor.at - from > jsonNumberCharsMax) return false;
  }
  if (jsonNumber.test(latin1(cursor, from, cursor.at))) return true;
  cursor.at = from;
  throw notJson(cursor);
}

/**
 * Skips an integer of the range that is written as most are, up to 15 digits and no more, quoted or not. Returns
 * whether it did; every other way to write a number is left to `integerIn`.
 */
export function skipPlainInteger(cursor: JsonCursor, { min, max }: IntegerRange, isQuoted: boolean): boolean {
  const { bytes } = cursor;
  let at = isQuoted ? cursor.at + 1 : cursor.at;
  const isNegative = bytes[at] === minus;
  if (isNegative) at += 1;
  const from = at;
  let value = 0;
  for (let byte = bytes[at]; byte !== undefined && isDigit(byte) && at - from <= plainDigitsMax; byte = bytes[at]) {
    value = value * 10 + byte - zero;
    at += 1;
  }
  const digits = at - from;
  if (digits === 0 || digits > plainDigitsMax) return false;
  if (bytes[from] === zero && (digits > 1 || isNegative)) return false;
  if (isQuoted ? bytes[at] !== quote : isNumberByte(bytes[at])) return false;
  const integer = isNegative ? -value : value;
  if (integer < min || integer > max) return false;
  cursor.at = isQuoted ? at + 1 : at;
  return true;
}

/** Returns the text of the string between two positions. */
export function stringAt(cursor: JsonCursor, from: number, to: number): string {
  const text = Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + from, to - from).toString();
  // The string was scanned before, so it is valid JSON.
  return text.includes("\\") ? String(JSON.parse(text)) : text.slice(1, -1);
}

/** Returns the bytes between two positions as text, one character each. */
export function latin1({ bytes }: JsonCursor, from: number, to: number): string {
  const end = Math.min(to, bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(end - from, 0)).toString("latin1");
}

/** Returns the error of bytes that are no JSON, with the position. It does not quote them. */
export function notJson({ at }: JsonCursor): ScanStopped {
  return new ScanStopped({ field: "", description: `is not valid JSON, at byte ${at}`, rule: "request.json" });
}

/** Whether a byte is a decimal digit. */
export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && ((byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)));
}

function isNumberByte(byte: number | undefined): boolean {
  return isDigit(byte) || byte === minus || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;
}

const words = ["null", "true", "false"] as const;
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const escapes: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
export const quote = 0x22;
const backslash = 0x5c;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;
export const openBracket = 0x5b;
export const closeBracket = 0x5d;
export const comma = 0x2c;
export const colon = 0x3a;
export const minus = 0x2d;
const zero = 0x30;
/** A number of so many digits is exact. */
const plainDigitsMax = 15;
