import {
  type DescEnum,
  type DescField,
  type DescMessage,
  getExtension,
  getOption,
  isFieldSet,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  type BytesRules,
  BytesRulesSchema,
  type EnumRules,
  EnumRulesSchema,
  type FieldRules,
  FieldRulesSchema,
  Ignore,
  predefined,
  type StringRules,
  StringRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { file_rialto_type_v1_rules } from "@rialto/contracts";
import { isLonger } from "../bounds/field-sizes.ts";
import { isStorable } from "../bounds/storable-text.ts";
import { knownTextExpression } from "./known-expressions.ts";
import { compilePattern } from "./rule-pattern.ts";

/** Whether a value surely keeps its rules. False is no refusal. */
export type Check<V = unknown> = (value: V) => boolean;

/** A rule that is left to protovalidate. Thrown while a check is made, never while it runs. */
export class UnknownRule extends Error {
  override name = "UnknownRule";
}

/** Returns the check of a scalar; undefined where it has nothing to keep. Every text must be storable. */
export function scalarCheck(scalar: ScalarType, rules: FieldRules | undefined): Check | undefined {
  const type = rules?.type;
  if (type?.case === undefined) return scalar === ScalarType.STRING ? ofText([isStorable]) : undefined;
  if (type.case !== ScalarType[scalar]?.toLowerCase()) throw new UnknownRule(`${type.case} of another type`);
  switch (type.case) {
    case "string":
      // Lengths stand before patterns, as in protovalidate: a pattern sees short text only.
      return ofText([isStorable, ...checksOf(StringRulesSchema, type.value, textRules, extendedTextRule)]);
    case "bytes":
      return ofBytes(checksOf(BytesRulesSchema, type.value, bytesRules));
    case "int32":
    case "int64":
    case "uint32":
    case "uint64":
    case "sint32":
    case "sint64":
    case "fixed32":
    case "fixed64":
    case "sfixed32":
    case "sfixed64":
    case "float":
    case "double":
      return ofNumber(type.case.endsWith("64") ? "bigint" : "number", numberChecks(type.value, type.case));
    default:
      throw new UnknownRule(type.case);
  }
}

/** Returns the check of an enum's number; undefined where it has nothing to keep. */
export function enumCheck(desc: DescEnum, rules: FieldRules | undefined): Check | undefined {
  const type = rules?.type;
  if (type?.case === undefined) return undefined;
  if (type.case !== "enum") throw new UnknownRule(`${type.case} of another type`);
  return ofNumber("number", checksOf(EnumRulesSchema, type.value, enumRules(desc)));
}

/** How each rule of a type is checked, by the name of its field. */
export type Known<R, V> = Readonly<Record<string, (rules: R) => Check<V>>>;

/** Returns the checks of all rules that are given. Throws UnknownRule. */
export function checksOf<R extends Message, V>(
  schema: DescMessage,
  rules: R,
  known: Known<R, V>,
  extended: (rules: R, number: number) => Check<V> = (_rules, number) => {
    throw new UnknownRule(`${schema.name}, extension ${number}`);
  },
): Check<V>[] {
  const standard = schema.fields
    .filter((field) => isFieldSet(rules, field))
    .map((field) => {
      const checkOf = known[field.localName];
      if (checkOf === undefined) throw new UnknownRule(`${schema.name}.${field.name}`);
      return checkOf(rules);
    });
  const extensions = new Set(rules.$unknown?.map(({ no }) => no));
  return [...standard, ...Array.from(extensions, (number) => extended(rules, number))];
}

/** Throws UnknownRule for rules of a field or value that are no rules of its type, but for those named. */
export function requireKnown(rules: FieldRules | undefined, named: readonly string[], field: DescField): void {
  if (rules === undefined) return;
  if (rules.$unknown !== undefined || rules.ignore === Ignore.ALWAYS) throw new UnknownRule(`rules of ${field}`);
  for (const { localName, oneof } of FieldRulesSchema.fields.filter((one) => isFieldSet(rules, one)))
    if (oneof === undefined && !named.includes(localName)) throw new UnknownRule(`${localName} of ${field}`);
}

/** Whether a value keeps the rules of all checks. */
export function keepsAll<V>(checks: readonly Check<V>[], value: V): boolean {
  for (const check of checks) if (!check(value)) return false;
  return true;
}

function ofText(checks: readonly Check<string>[]): Check {
  return (value) => typeof value === "string" && keepsAll(checks, value);
}

function ofBytes(checks: readonly Check<Uint8Array>[]): Check {
  return (value) => value instanceof Uint8Array && keepsAll(checks, value);
}

function ofNumber(type: "number" | "bigint", checks: readonly Check<number | bigint>[]): Check {
  return (value) =>
    (typeof value === "number" || typeof value === "bigint") && typeof value === type && keepsAll(checks, value);
}

const textRules: Known<StringRules, string> = {
  const: (rules) => (text) => text === rules.const,
  len: (rules) => hasChars(Number(rules.len), Number(rules.len)),
  minLen: (rules) => hasChars(Number(rules.minLen), Number.MAX_SAFE_INTEGER),
  maxLen: (rules) => hasChars(0, Number(rules.maxLen)),
  maxBytes: (rules) => (text) => Buffer.byteLength(text) <= rules.maxBytes,
  pattern(rules) {
    const pattern = compilePattern(rules.pattern);
    return (text) => pattern.test(text);
  },
  prefix: (rules) => (text) => text.startsWith(rules.prefix),
  suffix: (rules) => (text) => text.endsWith(rules.suffix),
  in: (rules) => (text) => rules.in.includes(text),
  notIn: (rules) => (text) => !rules.notIn.includes(text),
  uuid: (rules) => (text) => rules.wellKnown.value === false || uuid.test(text),
  email: (rules) => (text) => rules.wellKnown.value === false || email.test(text),
};

/** Returns the check of a rule for text that the contract adds to those of protovalidate. */
function extendedTextRule(rules: StringRules, number: number): Check<string> {
  const known = contractTextRules.get(number);
  if (known?.check === undefined || getExtension(rules, known.rule) !== true)
    throw new UnknownRule(`StringRules, extension ${number}`);
  return known.check;
}

/** By their number. The check is undefined where the form of an expression is unknown. */
const contractTextRules = new Map(
  file_rialto_type_v1_rules.extensions
    .filter(({ extendee }) => extendee.typeName === StringRulesSchema.typeName)
    .map((rule) => {
      const checks = getOption(rule, predefined).cel.map(({ expression }) => knownTextExpression(expression));
      const known = checks.filter((check) => check !== undefined);
      return [rule.number, { rule, check: known.length < checks.length ? undefined : allOf(known) }];
    }),
);

function allOf(checks: readonly Check<string>[]): Check<string> {
  return (text) => keepsAll(checks, text);
}

/** Both as protovalidate has them. */
const uuid = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
const email =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

function hasChars(min: number, max: number): Check<string> {
  return (text) => !isLonger(text, max) && isLonger(text, min - 1);
}

const bytesRules: Known<BytesRules, Uint8Array> = {
  len: (rules) => (bytes) => BigInt(bytes.length) === rules.len,
  minLen: (rules) => (bytes) => bytes.length >= rules.minLen,
  maxLen: (rules) => (bytes) => bytes.length <= rules.maxLen,
};

/** The values that a rule names. `includes` would find NaN. */
interface Named {
  readonly in: readonly (number | bigint)[];
  readonly notIn: readonly (number | bigint)[];
}

const namedRules: Known<Named, number | bigint> = {
  in: (rules) => (number) => rules.in.some((one) => one === number),
  notIn: (rules) => (number) => rules.notIn.every((one) => one !== number),
};

function enumRules(desc: DescEnum): Known<EnumRules, number | bigint> {
  const defined = new Set<number | bigint>(desc.values.map(({ number }) => number));
  return {
    definedOnly: (rules) => (number) => !rules.definedOnly || defined.has(number),
    ...namedRules,
  };
}

/** The rules of the types of numbers, which are the same of all of them. */
type NumberRules = Extract<
  FieldRules["type"],
  { readonly value: { readonly greaterThan: { readonly value?: number | bigint | undefined } } }
>["value"];

const numberRules: Known<NumberRules, number | bigint> = {
  const: (rules) => (number) => number === rules.const,
  gt: (rules) => isBeside(rules.greaterThan.value, (number, bound) => number > bound),
  gte: (rules) => isBeside(rules.greaterThan.value, (number, bound) => number >= bound),
  lt: (rules) => isBeside(rules.lessThan.value, (number, bound) => number < bound),
  lte: (rules) => isBeside(rules.lessThan.value, (number, bound) => number <= bound),
  ...namedRules,
};

function isBeside(
  bound: number | bigint | undefined,
  compare: (number: number | bigint, bound: number | bigint) => boolean,
): Check<number | bigint> {
  return (number) => bound !== undefined && compare(number, bound);
}

function numberChecks(rules: NumberRules, name: keyof typeof FieldRulesSchema.field): Check<number | bigint>[] {
  const schema = FieldRulesSchema.field[name].message;
  const [lower, upper] = [rules.greaterThan.value, rules.lessThan.value];
  // An upper bound below the lower one means what is outside of both.
  if (schema === undefined || (lower !== undefined && upper !== undefined && upper < lower))
    throw new UnknownRule(`bounds of ${name}`);
  return checksOf(schema, rules, numberRules);
}
