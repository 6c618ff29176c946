import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { DurationSchema, EmptySchema, FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type FieldMaskRules,
  FieldMaskRulesSchema,
  type FieldRules,
  type MapRules,
  MapRulesSchema,
  type RepeatedRules,
  RepeatedRulesSchema,
  type Rule,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { isStorable } from "../bounds/storable-text.ts";
import { fieldMaskPathsMax } from "../limits.ts";
import { knownListExpression, knownMessageExpression } from "./known-expressions.ts";
import {
  type Check,
  checksOf,
  enumCheck,
  type Known,
  keepsAll,
  requireKnown,
  scalarCheck,
  UnknownRule,
} from "./known-rules.ts";

type MessageOf = (below: DescMessage) => Check;
type Items = readonly unknown[];
type Fields = Readonly<Record<string, unknown>>;

/** Returns the check of a field's value; undefined where nothing can be wrong with it. */
export function valueCheck(field: DescField, rules: FieldRules | undefined, messageOf: MessageOf): Check | undefined {
  if (field.fieldKind === "list") return listCheck(field, rules, messageOf);
  const expressions = (rules?.cel ?? []).map((rule) => messageExpression(field, rule));
  const check = field.fieldKind === "map" ? mapCheck(field, rules, messageOf) : oneCheck(field, rules, messageOf);
  if (expressions.length === 0) return check;
  // What passed its check is a message.
  return (value) => check?.(value) === true && keepsAll(expressions, value as Fields);
}

function messageExpression(field: DescField, { id, expression }: Rule): Check<Fields> {
  const known = field.fieldKind === "message" ? knownMessageExpression(expression, field.message) : undefined;
  if (known === undefined) throw new UnknownRule(`${id} of ${field}`);
  return known;
}

function listCheck(
  field: DescField & { readonly fieldKind: "list" },
  rules: FieldRules | undefined,
  messageOf: MessageOf,
): Check | undefined {
  const own = ruleOf(rules, "repeated", field);
  requireKnown(own?.items, [], field);
  const check = oneCheck(field, own?.items, messageOf);
  const checks = own === undefined ? [] : checksOf<RepeatedRules, Items>(RepeatedRulesSchema, own, listRules(field));
  const expressions = (rules?.cel ?? []).map((rule) => listExpression(field, rule));
  if (check === undefined && checks.length + expressions.length === 0) return undefined;
  return (value) => {
    // The size stands first: it bounds the rest.
    if (!Array.isArray(value) || !keepsAll(checks, value)) return false;
    if (check !== undefined) for (const item of value) if (!check(item)) return false;
    return keepsAll(expressions, value);
  };
}

function listExpression(field: DescField, { id, expression }: Rule): Check<readonly Fields[]> {
  const known = field.message === undefined ? undefined : knownListExpression(expression, field.message);
  if (known === undefined) throw new UnknownRule(`${id} of ${field}`);
  return known;
}

function listRules(field: DescField & { readonly fieldKind: "list" }): Known<RepeatedRules, Items> {
  return {
    minItems: (rules) => (items) => items.length >= rules.minItems,
    maxItems: (rules) => (items) => items.length <= rules.maxItems,
    unique(rules) {
      if (field.message !== undefined || field.scalar === ScalarType.BYTES) throw new UnknownRule(`unique of ${field}`);
      return (items) => !rules.unique || new Set(items).size === items.length;
    },
    // Checked one by one.
    items: () => () => true,
  };
}

function mapCheck(
  field: DescField & { readonly fieldKind: "map" },
  rules: FieldRules | undefined,
  messageOf: MessageOf,
): Check | undefined {
  const own = ruleOf(rules, "map", field);
  requireKnown(own?.keys, [], field);
  requireKnown(own?.values, [], field);
  if (own?.keys !== undefined && field.mapKey !== ScalarType.STRING) throw new UnknownRule(`keys of ${field}`);
  const keyCheck = scalarCheck(field.mapKey, own?.keys);
  const check = oneCheck(field, own?.values, messageOf);
  const checks = own === undefined ? [] : checksOf<MapRules, Items>(MapRulesSchema, own, mapRules);
  if (keyCheck === undefined && check === undefined && checks.length === 0) return undefined;
  return (value) => {
    if (typeof value !== "object" || value === null) return false;
    const entries = Object.entries(value);
    if (!keepsAll(checks, entries)) return false;
    for (const [key, one] of entries) if (keyCheck?.(key) === false || check?.(one) === false) return false;
    return true;
  };
}

const mapRules: Known<MapRules, Items> = {
  minPairs: (rules) => (entries) => entries.length >= rules.minPairs,
  maxPairs: (rules) => (entries) => entries.length <= rules.maxPairs,
  // Checked one by one.
  keys: () => () => true,
  values: () => () => true,
};

/** Returns the check of a single value, of an item or of a map's value. */
function oneCheck(field: DescField, rules: FieldRules | undefined, messageOf: MessageOf): Check | undefined {
  if (field.enum !== undefined) return enumCheck(field.enum, rules);
  if (field.message === undefined) return scalarCheck(field.scalar, rules);
  if (field.message.typeName === FieldMaskSchema.typeName) return maskCheck(ruleOf(rules, "fieldMask", field));
  // Others of google.protobuf have a form of their own in JavaScript, as values or JSON.
  const isPlain = !field.message.typeName.startsWith("google.protobuf.") || plainTypes.has(field.message.typeName);
  if (!isPlain || rules?.type.case !== undefined) throw new UnknownRule(`${field.message.typeName} of ${field}`);
  return messageOf(field.message);
}

const plainTypes: ReadonlySet<string> = new Set([
  TimestampSchema.typeName,
  DurationSchema.typeName,
  EmptySchema.typeName,
]);

/** Each path is one that the rule lists: one below such a path is left to `oversizedFields`, which refuses it. */
function maskCheck(rules: FieldMaskRules | undefined): Check {
  const among = rules === undefined ? [] : checksOf<FieldMaskRules, string>(FieldMaskRulesSchema, rules, maskRules);
  return (value) => {
    if (typeof value !== "object" || value === null || !("paths" in value) || !Array.isArray(value.paths)) return false;
    if (value.paths.length > fieldMaskPathsMax) return false;
    return value.paths.every((path) => typeof path === "string" && isStorable(path) && keepsAll(among, path));
  };
}

const maskRules: Known<FieldMaskRules, string> = { in: (rules) => (path) => rules.in.includes(path) };

/** Returns the rules of a type, where there are some. */
function ruleOf<C extends "repeated" | "map" | "fieldMask">(rules: FieldRules | undefined, name: C, field: DescField) {
  const type = rules?.type;
  if (type?.case === undefined) return undefined;
  if (type.case !== name) throw new UnknownRule(`${type.case} of ${field}`);
  // Its case is the name.
  return type.value as Extract<FieldRules["type"], { readonly case: C }>["value"];
}
