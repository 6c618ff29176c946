import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { jsonNumberCharsMax } from "../limits.ts";
import { type IntegerRange, integerIn, integerRangeOf, integerRule } from "./json-integer.ts";
import type { RequestSize } from "./request-size.ts";
import { countWithin, type Scan, type ScanCount, ScanStopped, scanned } from "./scan.ts";

/** The result of scanning JSON, and the text that is to be decoded. */
export interface JsonScan extends Scan {
  /**
   * The same bytes, or with integers that were written in another form (`1e3`, or unquoted above 2^53) rewritten so
   * that the decoder reads them exactly.
   */
  readonly bytes: Uint8Array;
}

/**
 * Scans JSON text without decoding it: counts fields, items and entries, and stops at the limits of the request, where
 * the text is no JSON (RFC 8259), where an object has one name twice, and where the value of an integer field or an
 * enum field is none of proto3's JSON mapping. (A decoder that ignores unknown fields ignores unknown enum names too: a
 * filter by a misspelled name would be no filter.) A violation names the path and never quotes the text. `type` is the
 * message that the text encodes, or a field where the text is its value.
 */
export function scanJson(type: DescMessage | DescField, bytes: Uint8Array, size: RequestSize): JsonScan {
  const count = countWithin(size);
  const visit: Visit = { bytes, at: startOf(bytes), count, path: [], edits: [] };
  const scan = scanned(count, () => {
    visitValue(visit, type.kind === "message" ? valueOfMessage(type) : valueOfField(type), 1);
    skipSpace(visit);
    if (visit.at < bytes.length) throw notJson(visit);
  });
  return { ...scan, bytes: scan.violation === undefined ? edited(bytes, visit.edits) : bytes };
}

/** The value that the contract expects at a position. */
type Expected =
  | { readonly kind: "message"; readonly message: DescMessage }
  | { readonly kind: "list"; readonly item: Expected }
  | { readonly kind: "map"; readonly key: IntegerRange | undefined; readonly value: Expected }
  | { readonly kind: "integer"; readonly range: IntegerRange }
  | { readonly kind: "enum"; readonly desc: DescEnum }
  | { readonly kind: "any" };

interface Visit {
  readonly bytes: Uint8Array;
  at: number;
  readonly count: ScanCount;
  /** The path of the current position, in the contract's names. */
  readonly path: string[];
  readonly edits: Edit[];
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const any: Expected = { kind: "any" };

function valueOfMessage(message: DescMessage): Expected {
  if (isWrapperDesc(message)) return valueOfField(message.fields[0]);
  // Other well-known types have a JSON form of their own, without integers.
  return message.typeName.startsWith("google.protobuf.") ? any : { kind: "message", message };
}

function valueOfField(field: DescField): Expected {
  const one = valueOfItem(field);
  if (field.fieldKind === "list") return { kind: "list", item: one };
  return field.fieldKind === "map" ? { kind: "map", key: integerRangeOf(field.mapKey), value: one } : one;
}

function valueOfItem(field: DescField): Expected {
  if (field.message !== undefined) return valueOfMessage(field.message);
  if (field.enum !== undefined) return { kind: "enum", desc: field.enum };
  const range = field.scalar === undefined ? undefined : integerRangeOf(field.scalar);
  return range === undefined ? any : { kind: "integer", range };
}

function visitValue(visit: Visit, expected: Expected, depth: number): void {
  skipSpace(visit);
  const byte = visit.bytes[visit.at];
  if (byte === openBrace) visitObject(visit, expected, depth);
  else if (byte === openBracket) visitArray(visit, expected.kind === "list" ? expected.item : any, depth);
  else visitScalar(visit, expected, byte);
}

function visitScalar(visit: Visit, expected: Expected, byte: number | undefined): void {
  const from = visit.at;
  const isText = byte === quote;
  if (isText) skipString(visit);
  else if (byte === minus || isDigit(byte)) skipNumber(visit);
  else if (words.some((word) => skipWord(visit, word))) return;
  else throw notJson(visit);
  if (expected.kind === "enum" && isText) requireEnumName(visit, expected.desc, stringAt(visit, from, visit.at));
  if (expected.kind !== "integer") return;
  requireInteger(visit, expected.range, from, isText ? stringAt(visit, from, visit.at) : latin1(visit, from, visit.at));
}

function visitObject(visit: Visit, expected: Expected, depth: number): void {
  const { path, count } = visit;
  count.enter(depth);
  const seen = new Set<string | DescField>();
  let isFirst = true;
  visit.at += 1;
  for (;;) {
    skipSpace(visit);
    if (isFirst && skipByte(visit, closeBrace)) return;
    isFirst = false;
    const from = visit.at;
    if (visit.bytes[from] !== quote) throw notJson(visit);
    skipString(visit);
    count.field();
    const name = stringAt(visit, from, visit.at);
    const field = expected.kind === "message" ? fieldOf(expected.message, name) : undefined;
    path.push(field === undefined ? nameStep(path, name) : fieldStep(path, field.name));
    if (seen.has(field ?? name)) throw stopped(visit, "is given more than once", "request.twice");
    seen.add(field ?? name);
    if (expected.kind === "map" && expected.key !== undefined && integerIn(expected.key, name) === undefined)
      throw stopped(visit, `as a key ${integerRule(expected.key)}`, "request.integer");
    skipSpace(visit);
    if (!skipByte(visit, colon)) throw notJson(visit);
    const value = field !== undefined ? valueOfField(field) : expected.kind === "map" ? expected.value : any;
    visitValue(visit, value, depth + 1);
    path.pop();
    skipSpace(visit);
    if (skipByte(visit, closeBrace)) return;
    if (!skipByte(visit, comma)) throw notJson(visit);
  }
}

function visitArray(visit: Visit, item: Expected, depth: number): void {
  visit.count.enter(depth);
  visit.at += 1;
  skipSpace(visit);
  if (skipByte(visit, closeBracket)) return;
  for (let index = 0; ; index += 1) {
    visit.count.field();
    visit.path.push(`[${index}]`);
    visitValue(visit, item, depth + 1);
    visit.path.pop();
    skipSpace(visit);
    if (skipByte(visit, closeBracket)) return;
    if (!skipByte(visit, comma)) throw notJson(visit);
  }
}

/** Fields are looked for by both their names, as the JSON mapping has them. */
function fieldOf(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.jsonName === name || field.name === name);
}

function fieldStep(path: readonly string[], name: string): string {
  return path.length === 0 ? name : `.${name}`;
}

/** A name that the client made up, cut to what a refusal can show. */
function nameStep(path: readonly string[], name: string): string {
  const shown = name.length > shownCharsMax ? `${name.slice(0, shownCharsMax)}...` : name;
  return /^\w+$/.test(shown) ? fieldStep(path, shown) : `[${JSON.stringify(shown)}]`;
}

function requireInteger(visit: Visit, range: IntegerRange, from: number, text: string): void {
  const value = integerIn(range, text);
  if (value === undefined) throw stopped(visit, integerRule(range), "request.integer");
  const canonical = `${value}`;
  const isExact = visit.bytes[from] === quote || Number.isSafeInteger(Number(value));
  if (text !== canonical || !isExact) visit.edits.push({ from, to: visit.at, text: `"${canonical}"` });
}

/** Numbers are left to the decoder and to the rules of the field: an enum of proto3 is open. */
function requireEnumName(visit: Visit, { values }: DescEnum, text: string): void {
  if (values.some(({ name, jsonName }) => name === text || jsonName === text)) return;
  const names = values.filter(({ number }) => number !== 0).map(({ name }) => name);
  throw stopped(visit, `must be one of ${names.join(", ")}`, "request.enum");
}

function skipSpace(visit: Visit): void {
  for (;;) {
    const byte = visit.bytes[visit.at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
    visit.at += 1;
  }
}

function skipByte(visit: Visit, byte: number): boolean {
  if (visit.bytes[visit.at] !== byte) return false;
  visit.at += 1;
  return true;
}

function skipWord(visit: Visit, word: string): boolean {
  if (latin1(visit, visit.at, visit.at + word.length) !== word) return false;
  visit.at += word.length;
  return true;
}

/** Skips a string, whose opening quotation mark is next. */
function skipString(visit: Visit): void {
  const { bytes } = visit;
  for (visit.at += 1; ; visit.at += 1) {
    const byte = bytes[visit.at];
    if (byte === undefined || byte < 0x20) throw notJson(visit);
    if (byte === quote) break;
    if (byte !== backslash) continue;
    visit.at += 1;
    const escaped = bytes[visit.at];
    if (escaped === 0x75) {
      for (let digit = 1; digit <= 4; digit += 1) if (!isHexDigit(bytes[visit.at + digit])) throw notJson(visit);
      visit.at += 4;
    } else if (escaped === undefined || !escapes.has(escaped)) throw notJson(visit);
  }
  visit.at += 1;
}

function skipNumber(visit: Visit): void {
  const from = visit.at;
  while (isNumberByte(visit.bytes[visit.at])) {
    visit.at += 1;
    if (visit.at - from > jsonNumberCharsMax)
      throw stopped(visit, `must be a number of at most ${jsonNumberCharsMax} characters`, "request.number");
  }
  if (!jsonNumber.test(latin1(visit, from, visit.at))) {
    visit.at = from;
    throw notJson(visit);
  }
}

/** Returns the text of the string between two positions. */
function stringAt(visit: Visit, from: number, to: number): string {
  const text = Buffer.from(visit.bytes.buffer, visit.bytes.byteOffset + from, to - from).toString();
  // The string was scanned before, so it is valid JSON.
  return text.includes("\\") ? String(JSON.parse(text)) : text.slice(1, -1);
}

function latin1({ bytes }: Visit, from: number, to: number): string {
  const end = Math.min(to, bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(end - from, 0)).toString("latin1");
}

function edited(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { from, to, text } of edits) {
    parts.push(bytes.subarray(at, from), Buffer.from(text));
    at = to;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

/** Skips a byte order mark, as decoders do. */
function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function stopped({ path }: Visit, description: string, rule: string): ScanStopped {
  return new ScanStopped({ field: path.join(""), description, rule });
}

function notJson(visit: Visit): ScanStopped {
  return stopped({ ...visit, path: [] }, `is not valid JSON, at byte ${visit.at}`, "request.json");
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && ((byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)));
}

function isNumberByte(byte: number | undefined): boolean {
  return isDigit(byte) || byte === minus || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;
}

const words = ["null", "true", "false"];
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const escapes: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
const shownCharsMax = 64;
const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;
const minus = 0x2d;
