import {
  type DescField,
  type DescMessage,
  isMessage,
  type JsonValue,
  type MessageInitShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { answerBytesMax } from "../limits.ts";
import { valueIn } from "./field-sizes.ts";

/** Returns an upper bound of the size of a message, in bytes. */
export type MessageSize<Desc extends DescMessage> = (message: MessageInitShape<Desc>) => number;

/**
 * Creates the measure of a message type: an upper bound of its bytes, in JSON with every field and in binary, and
 * little more than them. Texts are measured, every other value counts with its longest form, so that a row of a list
 * costs a few additions and not a second serialization.
 *
 *     const bytesOf = messageSize(ProductSchema);
 *
 * Throws for a type that it cannot measure (`google.protobuf.Any`).
 */
export function messageSize<Desc extends DescMessage>(schema: Desc): MessageSize<Desc> {
  return sizeOfMessage(schema, new Map());
}

/**
 * Returns the messages where they fit into one response that is no page. Throws INVALID_REQUEST, for the field that
 * asks for them, where they do not.
 */
export function requireAnswerFits<Desc extends DescMessage, M extends MessageInitShape<Desc>>(
  messages: readonly M[],
  bytesOf: MessageSize<Desc>,
  field: string,
): M[] {
  const bytes = messages.reduce((sum, message) => sum + bytesOf(message), 0);
  if (bytes <= answerBytesMax) return [...messages];
  const description = `asks for more than ${answerBytesMax} bytes at once: ask for fewer`;
  throw new CallError(callErrors.INVALID_REQUEST, { fields: [{ field, description, rule: "answer.bytes" }] });
}

type Size = (value: unknown) => number;

/** A number where the size is the same for every value. */
type ValueSize = number | Size;

function sizeOfMessage(schema: DescMessage, known: Map<DescMessage, Size>): Size {
  const found = known.get(schema);
  if (found !== undefined) return found;
  let fixed = headBytes;
  const measured: { readonly field: DescField; readonly size: Size }[] = [];
  const size: Size = (message) => {
    let bytes = fixed;
    // A handler returns a message or its initializer: both have the same names and values.
    for (const part of measured) {
      const value = valueIn(part.field, message as Parameters<typeof valueIn>[1]);
      if (value !== undefined && value !== null) bytes += part.size(value);
    }
    return bytes;
  };
  // Set before the fields are visited: a message may contain others of its type.
  known.set(schema, size);
  for (const field of schema.fields) {
    fixed += headBytes + field.jsonName.length;
    const item = sizeOfItem(field, known);
    if (field.fieldKind === "list") measured.push({ field, size: listOf(item) });
    else if (field.fieldKind === "map") measured.push({ field, size: mapOf(item) });
    else if (typeof item === "number") fixed += item;
    else measured.push({ field, size: item });
  }
  return size;
}

function sizeOfItem(field: DescField, known: Map<DescMessage, Size>): ValueSize {
  if (field.enum !== undefined) return Math.max(integerBytesMax, ...field.enum.values.map(({ name }) => name.length));
  if (field.message !== undefined) return sizeOfInner(field.message, known);
  switch (field.scalar) {
    case ScalarType.STRING:
      return (text) => textBytes(String(text));
    case ScalarType.BYTES:
      return (bytes) => (bytes instanceof Uint8Array ? Math.ceil(bytes.length / 3) * 4 : 0);
    default:
      return integerBytesMax;
  }
}

function sizeOfInner(message: DescMessage, known: Map<DescMessage, Size>): ValueSize {
  if (isWrapperDesc(message)) {
    const size = sizeOfItem(message.fields[0], known);
    // A field of a wrapper type holds the value itself.
    return typeof size === "number" ? size : (value) => size(value);
  }
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
    case "google.protobuf.Duration":
      return timeBytesMax;
    case "google.protobuf.Struct":
      // A field of this type holds JSON; a message of its own holds fields.
      return (value) => (isMessage(value) ? sizeOfMessage(message, known)(value) : jsonBytes(value as JsonValue));
    case "google.protobuf.Any":
      throw new Error("how long google.protobuf.Any may be is not known");
    default:
      return sizeOfMessage(message, known);
  }
}

function listOf(item: ValueSize): Size {
  return (values) => {
    if (!Array.isArray(values)) return 0;
    if (typeof item === "number") return values.length * (item + headBytes);
    return values.reduce<number>((sum, value) => sum + headBytes + item(value), 0);
  };
}

function mapOf(item: ValueSize): Size {
  return (entries) =>
    Object.entries(Object(entries)).reduce(
      (sum, [key, value]) => sum + 3 * headBytes + textBytes(key) + (typeof item === "number" ? item : item(value)),
      0,
    );
}

/** The size of JSON, also as google.protobuf.Struct in binary, where each value is a nested message. */
function jsonBytes(value: JsonValue): number {
  if (typeof value === "string") return textBytes(value) + headBytes;
  if (typeof value !== "object" || value === null) return integerBytesMax;
  if (Array.isArray(value))
    return value.reduce<number>((sum, item) => sum + 2 * headBytes + jsonBytes(item), headBytes);
  return Object.entries(value).reduce(
    (sum, [key, item]) => sum + 3 * headBytes + textBytes(key) + jsonBytes(item),
    headBytes,
  );
}

/** The size of a text in JSON, which is never less than in UTF-8. */
function textBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/**
 * The framing of a value: in JSON quotation marks, colon, comma and brackets, in binary its tag (5) and its length (4,
 * as no message exceeds 4 MiB).
 */
const headBytes = 12;

/** The longest number in JSON, that of a double, with quotation marks. */
const integerBytesMax = 26;

/** "9999-12-31T23:59:59.999999999Z" in quotation marks. */
const timeBytesMax = 32;
