import { type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { compilePattern } from "./rule-pattern.ts";

// Expressions (CEL) of rules that are decided without CEL, by their form. An expression of another form is unknown, and
// undefined is returned for it.

/**
 * Returns the check of a text by a rule's expression whose `rule` is true. Known are any number of these:
 *
 *     !rule || !this.matches(r'[\x{0000}-\x{001F}]') || this.matches('^[A-Z]{3}$') || this in ['EUR','USD']
 */
export function knownTextExpression(expression: string): ((text: string) => boolean) | undefined {
  const terms = expression.split(" || ").filter((term) => term !== "!rule");
  const choices = terms.map((term) => knownMatch(term) ?? knownList(term)).filter((choice) => choice !== undefined);
  if (choices.length < terms.length) return undefined;
  return (text) => choices.some((choice) => choice(text));
}

function knownMatch(term: string): ((text: string) => boolean) | undefined {
  const { not, raw, plain } =
    /^(?<not>!?)this\.matches\((?:r'(?<raw>[^']*)'|'(?<plain>[^'\\]*)')\)$/.exec(term)?.groups ?? {};
  const pattern = raw ?? plain;
  if (pattern === undefined) return undefined;
  const compiled = compilePattern(pattern);
  return not === "!" ? (text) => !compiled.test(text) : (text) => compiled.test(text);
}

function knownList(term: string): ((text: string) => boolean) | undefined {
  const { list } = /^this in \[(?<list>'[^'\\]*'(?:, ?'[^'\\]*')*)\]$/.exec(term)?.groups ?? {};
  if (list === undefined) return undefined;
  const texts = new Set(Array.from(list.matchAll(/'([^']*)'/g), ([, text]) => text));
  return (text) => texts.has(text);
}

/** Returns the check of a list of messages. Known is one text field that differs in all of them. */
export function knownListExpression(
  expression: string,
  item: DescMessage,
): ((items: readonly Readonly<Record<string, unknown>>[]) => boolean) | undefined {
  const { name } = /^this\.map\((?<item>[a-z]), \k<item>\.(?<name>\w+)\)\.unique\(\)$/.exec(expression)?.groups ?? {};
  const field = item.fields.find((one) => one.name === name);
  if (field === undefined || field.scalar !== ScalarType.STRING || !isPlain(field)) return undefined;
  const { localName } = field;
  return (items) => new Set(items.map((one) => one[localName])).size === items.length;
}

/** Returns the check of a message. Known are bounds of its whole numbers: `this.minor_units > 0 && this.days <= 7`. */
export function knownMessageExpression(
  expression: string,
  message: DescMessage,
): ((value: Readonly<Record<string, unknown>>) => boolean) | undefined {
  const terms = expression.split(" && ");
  const bounds = terms.map((term) => knownBound(term, message)).filter((bound) => bound !== undefined);
  return bounds.length < terms.length ? undefined : (value) => bounds.every((isKept) => isKept(value));
}

function knownBound(
  term: string,
  message: DescMessage,
): ((value: Readonly<Record<string, unknown>>) => boolean) | undefined {
  const {
    name,
    sign = "",
    bound,
  } = /^this\.(?<name>\w+) (?<sign><=?|>=?) (?<bound>-?\d{1,15})$/.exec(term)?.groups ?? {};
  const field = message.fields.find((one) => one.name === name);
  const compare = comparisons.get(sign);
  if (field === undefined || compare === undefined || !isPlain(field)) return undefined;
  if (field.scalar === undefined || !signedIntegers.has(field.scalar)) return undefined;
  const { localName } = field;
  const limit = Number(bound);
  return (value) => {
    const number = value[localName];
    return (typeof number === "number" || typeof number === "bigint") && compare(number, limit);
  };
}

/** Whether a field is always there: one that may be unset reads as a default in an expression. */
function isPlain(field: DescMessage["fields"][number]): boolean {
  return field.fieldKind === "scalar" && field.oneof === undefined && field.presence === implicit;
}

const implicit = FeatureSet_FieldPresence.IMPLICIT;

type Compare = (number: number | bigint, limit: number) => boolean;

const comparisons: ReadonlyMap<string, Compare> = new Map<string, Compare>([
  ["<", (number, limit) => number < limit],
  ["<=", (number, limit) => number <= limit],
  [">", (number, limit) => number > limit],
  [">=", (number, limit) => number >= limit],
]);

const signedIntegers: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT32,
  ScalarType.SINT32,
  ScalarType.SFIXED32,
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.SFIXED64,
]);
