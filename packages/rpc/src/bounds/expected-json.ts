import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { type IntegerRange, integerRangeOf } from "./json-integer.ts";
import { oncePerType } from "./once-per-type.ts";

/** The value that the contract expects at a position in JSON. */
export type Expected =
  | { readonly kind: "message"; readonly message: DescMessage }
  | { readonly kind: "list"; readonly item: Expected }
  | { readonly kind: "map"; readonly key: IntegerRange | undefined; readonly value: Expected }
  | { readonly kind: "integer"; readonly range: IntegerRange }
  | { readonly kind: "enum"; readonly desc: DescEnum }
  | { readonly kind: "any" };

export const anyJson: Expected = { kind: "any" };

/** Returns what the contract expects of the JSON of a message, or of a field's value. */
export function expectedOf(type: DescMessage | DescField): Expected {
  return type.kind === "message" ? valueOfMessage(type) : valueOfField(type);
}

function valueOfMessage(message: DescMessage): Expected {
  if (isWrapperDesc(message)) return valueOfField(message.fields[0]);
  // Other well-known types have a JSON form of their own, without integers.
  return message.typeName.startsWith("google.protobuf.") ? anyJson : { kind: "message", message };
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
  return range === undefined ? anyJson : { kind: "integer", range };
}

/** A field of a message, by one of its names. */
export interface NamedField {
  readonly name: Uint8Array;
  readonly field: DescField;
  readonly value: Expected;
}

/** The fields of a message by the length of their names, in bytes. */
export type NamedFields = ReadonlyMap<number, readonly NamedField[]>;

/**
 * Returns the fields of a message by both their names, as the JSON mapping has them. A name in JSON is compared with
 * those of its length, byte by byte, so that no text is made of it.
 */
export const namedFields: (message: DescMessage) => NamedFields = oncePerType((message) => {
  const byLength = new Map<number, NamedField[]>();
  for (const field of message.fields) {
    const value = valueOfField(field);
    for (const text of new Set([field.jsonName, field.name])) {
      const name = Buffer.from(text);
      byLength.set(name.length, [...(byLength.get(name.length) ?? []), { name, field, value }]);
    }
  }
  return byLength;
});

/** Returns the field with the name that stands between two positions. */
export function fieldNamed(fields: NamedFields, bytes: Uint8Array, from: number, to: number): NamedField | undefined {
  const sameLength = fields.get(to - from);
  if (sameLength !== undefined) for (const one of sameLength) if (standsAt(from, one.name, bytes)) return one;
  return undefined;
}

function standsAt(from: number, name: Uint8Array, bytes: Uint8Array): boolean {
  for (let at = 0; at < name.length; at += 1) if (name[at] !== bytes[from + at]) return false;
  return true;
}
