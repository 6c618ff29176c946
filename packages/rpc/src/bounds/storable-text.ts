import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors/error-table.ts";
import { planWalk } from "./field-rules.ts";
import { valueIn } from "./field-sizes.ts";

/**
 * Returns the fields of a request whose text cannot be stored: protobuf allows NUL in a string, and JSON half of a
 * surrogate pair; Postgres accepts neither. No rule of the contract can apply to all fields at once, so every request
 * is checked.
 */
export function unstorableTexts(schema: DescMessage, message: Message): FieldViolation[] {
  const found: FieldViolation[] = [];
  visitMessage(schema, message, "", found);
  return found;
}

/** The fields with text, in keys of maps and in messages below too. */
const textFieldsOf = planWalk<DescField>((field, reaches) => {
  const isText =
    field.scalar === ScalarType.STRING || (field.fieldKind === "map" && field.mapKey === ScalarType.STRING);
  return isText || (field.message !== undefined && reaches(field.message)) ? field : undefined;
});

function visitMessage(schema: DescMessage, message: Message, path: string, found: FieldViolation[]): void {
  for (const field of textFieldsOf(schema)) {
    const value = valueIn(field, message);
    if (value !== undefined && value !== null) visitField(field, value, `${path}${field.name}`, found);
  }
}

function visitField(field: DescField, value: unknown, path: string, found: FieldViolation[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visitItem(field.message, item, `${path}[${index}]`, found);
  } else if (field.fieldKind === "map" && typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      visitItem(undefined, key, path, found);
      visitItem(field.message, item, `${path}[${JSON.stringify(key)}]`, found);
    }
  } else visitItem(field.message, value, path, found);
}

function visitItem(schema: DescMessage | undefined, item: unknown, path: string, found: FieldViolation[]): void {
  if (typeof item === "string") {
    if (!isStorable(item)) found.push({ field: path, description: "must not contain NUL or half of a surrogate pair" });
    return;
  }
  // The value of a message field is a message of that type.
  if (schema !== undefined) visitMessage(schema, item as Message, `${path}.`, found);
}

/** Whether Postgres accepts a text. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
