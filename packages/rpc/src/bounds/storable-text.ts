import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors/error-table.ts";
import { valueIn } from "./field-sizes.ts";

/**
 * The fields of a request whose text cannot be kept: protobuf lets a string hold NUL, and JSON half of a surrogate
 * pair; Postgres takes neither. No rule of the contract can say so for all fields at once, so it is asked of every
 * request.
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
  // An item of a field that has a message is one of that message.
  return schema === undefined ? [] : unstorableTexts(schema, item as Message, `${path}.`);
}
