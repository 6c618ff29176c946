import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors/error-table.ts";
import { valueIn } from "./field-sizes.ts";

/**
 * Returns the fields of a request whose text cannot be stored: protobuf allows NUL in a string, and JSON half of a
 * surrogate pair; Postgres accepts neither. No rule of the contract can apply to all fields at once, so every request
 * is checked.
 */
export function unstorableTexts(schema: DescMessage, message: Message, path = ""): FieldViolation[] {
  return schema.fields.flatMap((field) => inValue(field, valueIn(field, message), `${path}${field.name}`));
}

function inValue(field: DescField, value: unknown, path: string): FieldViolation[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => inItem(field.message, item, `${path}[${index}]`));
  if (field.fieldKind !== "map") return inItem(field.message, value, path);
  return Object.entries(value).flatMap(([key, item]) => [
    ...inItem(undefined, key, path),
    ...inItem(field.message, item, `${path}[${JSON.stringify(key)}]`),
  ]);
}

function inItem(schema: DescMessage | undefined, item: unknown, path: string): FieldViolation[] {
  if (typeof item === "string") {
    const storable = !item.includes("\0") && item.isWellFormed();
    return storable ? [] : [{ field: path, description: "must not contain NUL or half of a surrogate pair" }];
  }
  // The value of a message field is a message of that type.
  return schema === undefined ? [] : unstorableTexts(schema, item as Message, `${path}.`);
}
