import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { jsonNumberCharsMax } from "../limits.ts";
import {
  anyJson,
  type Expected,
  expectedOf,
  fieldNamed,
  type NamedField,
  type NamedFields,
  namedFields,
} from "./expected-json.ts";
import { type IntegerRange, integerIn, integerRule } from "./json-integer.ts";
import {
  closeBrace,
  closeBracket,
  colon,
  comma,
  isDigit,
  type JsonCursor,
  latin1,
  minus,
  notJson,
  openBrace,
  openBracket,
  quote,
  skipByte,
  skipNumber,
  skipPlainInteger,
  skipSpace,
  skipString,
  skipWord,
  startOf,
  stringAt,
} from "./json-tokens.ts";
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
    visitValue(visit, expectedOf(type), 1);
    skipSpace(visit);
    if (visit.at < bytes.length) throw notJson(visit);
  });
  return { ...scan, bytes: scan.violation === undefined ? edited(bytes, visit.edits) : bytes };
}

interface Visit extends JsonCursor {
  readonly count: ScanCount;
  /** The path of the current position: fields of the contract, indexes, and names that the client made up. */
  readonly path: (DescField | number | string)[];
  readonly edits: Edit[];
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function visitValue(visit: Visit, expected: Expected, depth: number): void {
  skipSpace(visit);
  const byte = visit.bytes[visit.at];
  if (byte === openBrace) visitObject(visit, expected, depth);
  else if (byte === openBracket) visitArray(visit, expected.kind === "list" ? expected.item : anyJson, depth);
  else visitScalar(visit, expected, byte);
}

function visitScalar(visit: Visit, expected: Expected, byte: number | undefined): void {
  const from = visit.at;
  const isText = byte === quote;
  if (expected.kind === "integer" && skipPlainInteger(visit, expected.range, isText)) return;
  if (isText) skipString(visit);
  else if (byte === minus || isDigit(byte)) {
    if (!skipNumber(visit))
      throw stopped(visit, `must be a number of at most ${jsonNumberCharsMax} characters`, "request.number");
  } else if (skipWord(visit)) return;
  else throw notJson(visit);
  if (expected.kind === "enum" && isText) requireEnumName(visit, expected.desc, stringAt(visit, from, visit.at));
  if (expected.kind !== "integer") return;
  requireInteger(visit, expected.range, from, isText ? stringAt(visit, from, visit.at) : latin1(visit, from, visit.at));
}

function visitObject(visit: Visit, expected: Expected, depth: number): void {
  const { path, count } = visit;
  count.enter(depth);
  const fields = expected.kind === "message" ? namedFields(expected.message) : undefined;
  const seen = new Set<string | DescField>();
  let isFirst = true;
  visit.at += 1;
  for (;;) {
    skipSpace(visit);
    if (isFirst && skipByte(visit, closeBrace)) return;
    isFirst = false;
    const from = visit.at;
    if (visit.bytes[from] !== quote) throw notJson(visit);
    const isEscaped = skipString(visit);
    count.field();
    const known = fields === undefined ? undefined : fieldAt(visit, fields, from, isEscaped);
    const name = known === undefined ? stringAt(visit, from, visit.at) : known.field;
    path.push(name);
    if (seen.has(name)) throw stopped(visit, "is given more than once", "request.twice");
    seen.add(name);
    if (expected.kind === "map" && typeof name === "string") requireKey(visit, expected.key, name);
    skipSpace(visit);
    if (!skipByte(visit, colon)) throw notJson(visit);
    visitValue(visit, known?.value ?? (expected.kind === "map" ? expected.value : anyJson), depth + 1);
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
    visit.path.push(index);
    visitValue(visit, item, depth + 1);
    visit.path.pop();
    skipSpace(visit);
    if (skipByte(visit, closeBracket)) return;
    if (!skipByte(visit, comma)) throw notJson(visit);
  }
}

/** Returns the field whose name was skipped. `from` is the position of its quotation mark. */
function fieldAt(visit: Visit, fields: NamedFields, from: number, isEscaped: boolean): NamedField | undefined {
  if (!isEscaped) return fieldNamed(fields, visit.bytes, from + 1, visit.at - 1);
  const name = Buffer.from(stringAt(visit, from, visit.at));
  return fieldNamed(fields, name, 0, name.length);
}

function requireKey(visit: Visit, range: IntegerRange | undefined, name: string): void {
  if (range === undefined || integerIn(range, name) !== undefined) return;
  throw stopped(visit, `as a key ${integerRule(range)}`, "request.integer");
}

function pathText(steps: readonly (DescField | number | string)[]): string {
  let path = "";
  for (const step of steps) {
    if (typeof step === "number") path += `[${step}]`;
    else path += typeof step === "string" ? nameStep(path, step) : fieldStep(path, step.name);
  }
  return path;
}

function fieldStep(path: string, name: string): string {
  return path === "" ? name : `.${name}`;
}

/** A name that the client made up, cut to what a refusal can show. */
function nameStep(path: string, name: string): string {
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

function stopped({ path }: Visit, description: string, rule: string): ScanStopped {
  return new ScanStopped({ field: pathText(path), description, rule });
}

const shownCharsMax = 64;
