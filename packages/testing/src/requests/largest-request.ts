import {
  create,
  type DescField,
  type DescMessage,
  getOption,
  type JsonValue,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldRules,
  type StringRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/**
 * The largest message that the contract's rules allow: every field set, every list full, every text as long as it may
 * be and of characters of four bytes where the rules take them. Throws, with the field's name, where a text, a list, a
 * map or bytes have no bound.
 */
export function largestRequest(schema: DescMessage): Message {
  if (schema.typeName === TimestampSchema.typeName)
    return create(TimestampSchema, { seconds: 253_402_300_799n, nanos: 999_999_999 });
  const message = create(schema);
  const fields = reflect(schema, message);
  for (const field of schema.fields) {
    const rules = getOption(field, fieldRules);
    if (field.fieldKind === "list") {
      const list = fields.get(field);
      const own = rules.type.case === "repeated" ? rules.type.value : undefined;
      const itemsMax = Number(own?.maxItems ?? 0n);
      if (itemsMax === 0) throw new Error(`${field} may have any number of items`);
      for (let at = 0; at < itemsMax; at += 1) list.add(largestValue(field, own?.items, at));
    } else if (field.fieldKind === "map") {
      const map = fields.get(field);
      const own = rules.type.case === "map" ? rules.type.value : undefined;
      const pairsMax = Number(own?.maxPairs ?? 0n);
      if (pairsMax === 0) throw new Error(`${field} may have any number of entries`);
      for (let at = 0; at < pairsMax; at += 1)
        map.set(scalarValue(field, field.mapKey, own?.keys, at) as string, largestValue(field, own?.values, at));
    } else fields.set(field, largestValue(field, rules, 0));
  }
  return message;
}

/** JSON in which every character of every text is escaped: six bytes for each unit, the longest that there is. */
export function escapedJson(json: JsonValue): string {
  if (typeof json === "string") {
    const units = Array.from(
      { length: json.length },
      (_, at) => `\\u${json.charCodeAt(at).toString(16).padStart(4, "0")}`,
    );
    return `"${units.join("")}"`;
  }
  if (Array.isArray(json)) return `[${json.map(escapedJson).join(",")}]`;
  if (typeof json !== "object" || json === null) return JSON.stringify(json);
  return `{${Object.entries(json)
    .map(([name, value]) => `${JSON.stringify(name)}:${escapedJson(value)}`)
    .join(",")}}`;
}

/** One value of a field; the one of another place in a list is another one. */
// biome-ignore lint/suspicious/noExplicitAny: what reflection sets is checked by it, field by field
function largestValue(field: DescField, rules: FieldRules | undefined, at: number): any {
  if (field.enum !== undefined) {
    const among = rules?.type.case === "enum" ? rules.type.value.in : [];
    return among.at(-1) ?? field.enum.values.at(-1)?.number ?? 0;
  }
  if (field.message !== undefined) {
    if (field.message.typeName !== FieldMaskSchema.typeName)
      return reflect(field.message, numbered(largestRequest(field.message), field.message, at));
    const paths = rules?.type.case === "fieldMask" ? rules.type.value.in : [];
    if (paths.length === 0) throw new Error(`${field} may have any paths`);
    return reflect(FieldMaskSchema, create(FieldMaskSchema, { paths: [...paths] }));
  }
  return scalarValue(field, field.scalar, rules, at);
}

/** The message with ids of its own: some lists must name each thing once. */
function numbered(message: Message, schema: DescMessage, at: number): Message {
  const fields = reflect(schema, message);
  for (const field of schema.fields) {
    const { type } = getOption(field, fieldRules);
    if (field.fieldKind === "scalar" && type.case === "string" && type.value.wellKnown.case === "uuid")
      fields.set(field, uuid(at));
  }
  return message;
}

function scalarValue(field: DescField, scalar: ScalarType, rules: FieldRules | undefined, at: number): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return rules?.type.case === "string" ? text(field, rules.type.value, at) : unbounded(field);
    case ScalarType.BYTES: {
      const bytesMax = rules?.type.case === "bytes" ? Number(rules.type.value.maxLen || rules.type.value.len) : 0;
      return bytesMax === 0 ? unbounded(field) : new Uint8Array(bytesMax).fill(0xff);
    }
    case ScalarType.BOOL:
      return true;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1_000_000_000n;
    case ScalarType.INT32: {
      const last = rules?.type.case === "int32" ? rules.type.value.lessThan : undefined;
      return last?.case === "lte" ? last.value : 2 ** 31 - 1;
    }
    default:
      return 1;
  }
}

function text(field: DescField, rules: StringRules, at: number): string {
  const charsMax = Number(rules.maxLen || rules.len);
  if (rules.wellKnown.case === "uuid") return uuid(at);
  if (rules.in.length > 0) return rules.in.toSorted((one, other) => other.length - one.length)[0] ?? "";
  if (charsMax === 0) return unbounded(field);
  if (rules.wellKnown.case === "email")
    return `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(charsMax - 64 - 1 - 64 - 64)}`;
  const long = "𝒳".repeat(charsMax);
  if (rules.pattern === "") return long;
  const fitting = samples(charsMax).filter((sample) => new RegExp(rules.pattern, "u").test(sample));
  const [longest] = fitting.toSorted((one, other) => other.length - one.length);
  if (longest === undefined) throw new Error(`no sample for the pattern of ${field}: ${rules.pattern}`);
  return longest;
}

/** Texts for the patterns of the contract, as long as one may be. */
function samples(charsMax: number): readonly string[] {
  const letters = (count: number) => "a".repeat(Math.max(count, 1));
  const topic = `${letters(charsMax - 25)}.${letters(24)}`;
  return ["EUR", "DE", letters(charsMax), letters(50), topic, "1".repeat(charsMax), "𝒳".repeat(charsMax)];
}

function uuid(at: number): string {
  return `0197f000-0000-7000-8000-${at.toString(16).padStart(12, "0")}`;
}

function unbounded(field: DescField): never {
  throw new Error(`${field} may have any length`);
}
