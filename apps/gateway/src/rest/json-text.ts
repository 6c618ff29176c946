import { type DescEnum, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import { timeText } from "./time-text.ts";

/**
 * Returns the text of a message in proto3 JSON with every field, the same as `JSON.stringify(toJson(...))` with
 * `alwaysEmitImplicit`, in one pass and without the objects between. Undefined where it is not sure: the library
 * answers then, or refuses what no message may hold.
 */
export type WriteJsonText = (message: Message) => string | undefined;

/** Writes a value of a type that is known; undefined where the value is not one that it is sure of. */
type Write = (value: unknown) => string | undefined;

/** The fields of a message. */
type Fields = Readonly<Record<string, unknown>>;

/** Makes the writer of one type of message; with `only`, of that field's value, or `{}` where it is not set. */
export function jsonTextWriter(desc: DescMessage, only?: DescField): WriteJsonText {
  if (only === undefined) return messageWriter(desc, new Map());
  // The library refuses an answer for what another field holds, too.
  if (desc.fields.length !== 1) return notSure;
  const write = fieldWriter(only, new Map(), "");
  return (message) => {
    if (!isOfType(desc, message)) return undefined;
    const text = write(message);
    return text === "" ? "{}" : text;
  };
}

function messageWriter(desc: DescMessage, known: Map<DescMessage, Write>): Write {
  const found = known.get(desc);
  if (found !== undefined) return found;
  if (desc.typeName === "google.protobuf.Timestamp") return timestampText;
  // The others of these have a JSON of their own.
  if (desc.typeName.startsWith("google.protobuf.")) return notSure;
  const writers: ((fields: Fields) => string | undefined)[] = [];
  const write: Write = (message) => {
    if (!isOfType(desc, message)) return undefined;
    let text = "";
    for (const writeField of writers) {
      const part = writeField(message);
      if (part === undefined) return undefined;
      if (part !== "") text = text === "" ? part : `${text},${part}`;
    }
    return `{${text}}`;
  };
  // Before its fields: a message may contain others of its type.
  known.set(desc, write);
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) writers.push(fieldWriter(field, known));
  return write;
}

/** Returns a function that writes a field behind `name`, or an empty text where the field is not set. */
function fieldWriter(
  field: DescField,
  known: Map<DescMessage, Write>,
  name = `${JSON.stringify(field.jsonName)}:`,
): (fields: Fields) => string | undefined {
  const { localName, oneof, presence } = field;
  const write = field.fieldKind === "list" ? listWriter(valueWriter(field, known)) : valueWriter(field, known);
  const named: Write = (value) => {
    const text = write(value);
    return text === undefined ? undefined : name + text;
  };
  if (oneof !== undefined) {
    return (fields) => {
      // A oneof is an object of its case and the value.
      const chosen = fields[oneof.localName] as { readonly case?: unknown; readonly value?: unknown };
      return chosen.case === localName ? named(chosen.value) : "";
    };
  }
  if (presence === Presence.IMPLICIT || field.fieldKind === "list") return (fields) => named(fields[localName]);
  if (presence === Presence.LEGACY_REQUIRED) return notSure;
  return (fields) =>
    fields[localName] !== undefined && Object.hasOwn(fields, localName) ? named(fields[localName]) : "";
}

function listWriter(write: Write): Write {
  return (values) => {
    if (!Array.isArray(values)) return undefined;
    let text = "";
    for (const value of values) {
      const item = write(value);
      if (item === undefined) return undefined;
      text = text === "" ? item : `${text},${item}`;
    }
    return `[${text}]`;
  };
}

function valueWriter(field: DescField, known: Map<DescMessage, Write>): Write {
  if (field.fieldKind === "map") return notSure;
  if (field.message !== undefined) return messageWriter(field.message, known);
  if (field.enum !== undefined) return enumWriter(field.enum);
  switch (field.scalar) {
    case ScalarType.STRING:
      return (value) => (typeof value === "string" ? JSON.stringify(value) : undefined);
    case ScalarType.BOOL:
      return (value) => (typeof value === "boolean" ? `${value}` : undefined);
    case ScalarType.BYTES:
      return notSure;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return (value) => (typeof value === "bigint" ? `"${value}"` : undefined);
    default:
      return (value) => (typeof value === "number" && Number.isFinite(value) ? `${value}` : undefined);
  }
}

function enumWriter(desc: DescEnum): Write {
  if (desc.typeName === "google.protobuf.NullValue") return notSure;
  // By number, with the first of several names, as the library writes it.
  const values = Object.values(desc.value);
  const names = new Map<unknown, string>(values.map(({ number, jsonName }) => [number, JSON.stringify(jsonName)]));
  return (value) => names.get(value);
}

/** From the year 1 to the year 9999, as the format allows. */
const secondsMin = -62_135_596_800n;
const secondsMax = 253_402_300_799n;
const nanosPerMs = 1_000_000;

/** Writes a time of whole milliseconds, as a `Date` has. */
function timestampText(value: unknown): string | undefined {
  // Checked below.
  const { $typeName, seconds, nanos } = Object(value) as Fields;
  if ($typeName !== "google.protobuf.Timestamp" || typeof seconds !== "bigint" || typeof nanos !== "number")
    return undefined;
  if (seconds < secondsMin || seconds > secondsMax || nanos < 0 || nanos >= 1_000_000_000) return undefined;
  if (nanos % nanosPerMs !== 0) return undefined;
  return `"${timeText(Number(seconds), nanos / nanosPerMs)}"`;
}

function isOfType(desc: DescMessage, message: unknown): message is Fields {
  return (
    typeof message === "object" && message !== null && "$typeName" in message && message.$typeName === desc.typeName
  );
}

function notSure(): undefined {
  return undefined;
}
