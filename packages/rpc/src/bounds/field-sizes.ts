import { type DescField, type DescMessage, isMessage, type Message } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import type { FieldRules, MapRules, RepeatedRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { FieldViolation } from "../errors/error-table.ts";
import { fieldMaskPathsMax, violationsMax } from "../limits.ts";
import { planWalk, rulesOf } from "./field-rules.ts";

/**
 * Returns the fields of a request that exceed the sizes of the contract's rules: items, entries, characters, bytes,
 * paths of a mask. Check it before all other rules, whose cost grows with the size of the fields. It stops at the
 * number of violations that an error can name.
 *
 * A path of a mask must be one that the rule `field_mask.in` lists. protovalidate also accepts a path below a listed
 * one, which names a field that no handler changes by itself. A method that does lists that path.
 */
export function oversizedFields(schema: DescMessage, message: Message): FieldViolation[] {
  const found: FieldViolation[] = [];
  visitMessage(schema, message, "", found);
  return found;
}

function visitMessage(schema: DescMessage, message: Message, path: string, found: FieldViolation[]): void {
  for (const { field, rules } of boundedFieldsOf(schema)) {
    if (found.length >= violationsMax) return;
    const value = valueIn(field, message);
    if (value !== undefined && value !== null) visitField(field, rules, value, `${path}${field.name}`, found);
  }
}

/** A field with rules, or whose message has such fields, or is a mask. */
interface BoundedField {
  readonly field: DescField;
  readonly rules: FieldRules | undefined;
}

const boundedFieldsOf = planWalk<BoundedField>((field, reaches) => {
  const rules = rulesOf(field);
  const { message } = field;
  const isVisited = message !== undefined && (message.typeName === FieldMaskSchema.typeName || reaches(message));
  return rules !== undefined || isVisited ? { field, rules } : undefined;
});

/** Returns the value of a field. The chosen field of a oneof is stored under the name of the oneof. */
export function valueIn(field: DescField, message: Message): unknown {
  if (field.oneof === undefined) return Reflect.get(message, field.localName);
  const chosen: unknown = Reflect.get(message, field.oneof.localName);
  if (typeof chosen !== "object" || chosen === null || !("case" in chosen) || !("value" in chosen)) return undefined;
  return chosen.case === field.localName ? chosen.value : undefined;
}

function visitField(
  field: DescField,
  rules: FieldRules | undefined,
  value: unknown,
  path: string,
  found: FieldViolation[],
): void {
  if (Array.isArray(value)) {
    const own = rules?.type.case === "repeated" ? rules.type.value : undefined;
    visitList(field, value, own, path, found);
  } else if (field.fieldKind === "map" && typeof value === "object" && value !== null) {
    const own = rules?.type.case === "map" ? rules.type.value : undefined;
    visitMap(field, Object.entries(value), own, path, found);
  } else visitOne(field, value, rules, path, found);
}

function visitList(
  field: DescField,
  items: readonly unknown[],
  rules: RepeatedRules | undefined,
  path: string,
  found: FieldViolation[],
): void {
  if (rules !== undefined && rules.maxItems > 0n && items.length > rules.maxItems) {
    found.push(tooLarge(path, `must contain no more than ${rules.maxItems} item(s)`, "repeated.max_items"));
    return;
  }
  for (const [index, item] of items.entries()) {
    if (found.length >= violationsMax) return;
    visitOne(field, item, rules?.items, `${path}[${index}]`, found);
  }
}

function visitMap(
  field: DescField,
  entries: readonly [string, unknown][],
  rules: MapRules | undefined,
  path: string,
  found: FieldViolation[],
): void {
  if (rules !== undefined && rules.maxPairs > 0n && entries.length > rules.maxPairs) {
    found.push(tooLarge(path, `map must be at most ${rules.maxPairs} entries`, "map.max_pairs"));
    return;
  }
  for (const [key, item] of entries) {
    if (found.length >= violationsMax) return;
    const at = `${path}[${JSON.stringify(key)}]`;
    addOversized(key, rules?.keys, at, found);
    visitOne(field, item, rules?.values, at, found);
  }
}

function visitOne(
  field: DescField,
  value: unknown,
  rules: FieldRules | undefined,
  path: string,
  found: FieldViolation[],
): void {
  if (isMessage(value, FieldMaskSchema)) addMask(value.paths, rules, path, found);
  // A value of a message field is a message of that type.
  else if (field.message !== undefined) visitMessage(field.message, value as Message, `${path}.`, found);
  else addOversized(value, rules, path, found);
}

function addMask(paths: readonly string[], rules: FieldRules | undefined, path: string, found: FieldViolation[]): void {
  if (paths.length > fieldMaskPathsMax) {
    found.push(tooLarge(path, `must have at most ${fieldMaskPathsMax} paths`, "field_mask.max_paths"));
    return;
  }
  const among = rules?.type.case === "fieldMask" ? rules.type.value.in : [];
  if (among.length === 0 || paths.every((named) => among.includes(named))) return;
  found.push(tooLarge(path, `must only contain paths in [${among.join(", ")}]`, "field_mask.in"));
}

function addOversized(value: unknown, rules: FieldRules | undefined, path: string, found: FieldViolation[]): void {
  if (rules === undefined) return;
  const { type } = rules;
  if (type.case === "string" && typeof value === "string") {
    const { len, maxLen, maxBytes, wellKnown } = type.value;
    if (maxLen > 0n && isLonger(value, Number(maxLen)))
      found.push(tooLarge(path, `must be at most ${maxLen} characters`, "string.max_len"));
    else if (len > 0n && isLonger(value, Number(len)))
      found.push(tooLarge(path, `must be ${len} characters`, "string.len"));
    else if (maxBytes > 0n && Buffer.byteLength(value) > maxBytes)
      found.push(tooLarge(path, `must be at most ${maxBytes} bytes`, "string.max_bytes"));
    else if (wellKnown.case === "uuid" && wellKnown.value && value.length > uuidChars)
      found.push(tooLarge(path, "must be a valid UUID", "string.uuid"));
  }
  if (type.case === "bytes" && value instanceof Uint8Array) {
    const { len, maxLen } = type.value;
    if (maxLen > 0n && value.length > maxLen)
      found.push(tooLarge(path, `must be at most ${maxLen} bytes`, "bytes.max_len"));
    else if (len > 0n && value.length > len) found.push(tooLarge(path, `must be ${len} bytes`, "bytes.len"));
  }
}

/**
 * Whether a text has more than `charsMax` characters. A surrogate pair is one; pairs are counted only where that
 * decides.
 */
export function isLonger(text: string, charsMax: number): boolean {
  if (text.length <= charsMax) return false;
  if (text.length > 2 * charsMax) return true;
  let chars = 0;
  for (const _ of text) chars += 1;
  return chars > charsMax;
}

function tooLarge(field: string, description: string, rule: string): FieldViolation {
  return { field, description, rule };
}

const uuidChars = 36;
