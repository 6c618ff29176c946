import { errorDetailBytesMax, errorMessageBytesMax, errorTextBytesMax, violationsMax } from "../limits.ts";
import type { FieldViolation } from "./error-table.ts";

/** The parts of an error that may be of any size. */
interface ErrorText {
  readonly message: string;
  readonly fields: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Bounds an error: at most 20 violations and 2,688 bytes of details, and texts that are cut and on one line, however
 * much of the request is in them. `violations_omitted` in the metadata counts the violations that were left out. What
 * is within the bounds stays as it is, so that an error may be bounded again where it is passed on.
 */
export function withinErrorSize({ message, fields, metadata }: ErrorText): ErrorText {
  const facts: [string, string][] = [];
  let left = errorDetailBytesMax - omittedBytes;
  const { [omittedName]: omittedBefore, ...others } = metadata;
  for (const [name, value] of Object.entries(others)) {
    const fact: [string, string] = [cut(name, errorTextBytesMax), cut(value, errorTextBytesMax)];
    const bytes = bytesOf(fact[0]) + bytesOf(fact[1]);
    if (bytes > left) break;
    left -= bytes;
    facts.push(fact);
  }
  const kept: FieldViolation[] = [];
  for (const violation of fields) {
    if (kept.length === violationsMax) break;
    const short = shortened(violation);
    const bytes = violationBytes + bytesOf(short.field) + bytesOf(short.description) + 2 * bytesOf(short.rule ?? "");
    if (bytes > left) break;
    left -= bytes;
    kept.push(short);
  }
  const omitted = fields.length - kept.length + (Number.parseInt(omittedBefore ?? "", 10) || 0);
  if (omitted > 0) facts.push([omittedName, `${omitted}`]);
  return { message: cut(message, errorMessageBytesMax), fields: kept, metadata: Object.fromEntries(facts) };
}

function shortened({ field, description, rule }: FieldViolation): FieldViolation {
  return {
    field: cut(field, errorTextBytesMax),
    description: cut(description, errorTextBytesMax),
    ...(rule === undefined ? {} : { rule: cut(rule, errorTextBytesMax) }),
  };
}

/**
 * The text, or its beginning: without control characters, which take six bytes each in JSON, and without half of a
 * surrogate pair.
 */
function cut(text: string, bytesMax: number): string {
  // A character has at least one byte, so the rest is cut in any case.
  const plain = text
    .slice(0, bytesMax + 1)
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ")
    .toWellFormed();
  if (bytesOf(plain) <= bytesMax) return plain;
  let bytes = bytesOf(ellipsis);
  let short = "";
  for (const sign of plain) {
    bytes += bytesOf(sign) - 2;
    if (bytes > bytesMax) break;
    short += sign;
  }
  return `${short}${ellipsis}`;
}

/** The size in JSON, with quotation marks: never less than in binary. */
function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

const omittedName = "violations_omitted";

const ellipsis = "...";

/** The names of a violation's three fields in JSON. */
const violationBytes = 37;

/** Room for the reason, and for how many violations were left out. */
const omittedBytes = 160;
