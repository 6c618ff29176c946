import type { DescEnum, DescField, DescMessage, JsonObject, JsonValue, ScalarType } from "@bufbuild/protobuf";
import { ScalarType as Scalar } from "@bufbuild/protobuf";
import { CallError, callErrors, integerIn, integerRangeOf, integerRule, type RequestSize } from "@rialto/rpc";
import type { FieldPath } from "./routes.ts";

/** Messages whose JSON is one string, so that one parameter can hold them. */
const textMessages: ReadonlySet<string> = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.FieldMask",
]);

/**
 * Parses a query, which starts with its question mark or is empty. Throws INVALID_REQUEST, naming the parameter, if its
 * percent-encoding is broken.
 */
export function parseQuery(query: string): URLSearchParams {
  if (query === "") return new URLSearchParams();
  for (const part of query.slice(1).split("&")) {
    const [name = ""] = part.split("=", 1);
    if (!isWellEncoded(part))
      throw badParameter(isWellEncoded(name) ? decodeURIComponent(name) : name, "is not well encoded");
  }
  return new URLSearchParams(query);
}

function isWellEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Puts query parameters into the JSON of a request: scalars, enums by name, repeated ones as often as they are given,
 * nested fields with dots ("price.currency_code"). Throws INVALID_REQUEST, naming the parameter, for one that is not a
 * field, a field that the path or the body already sets, a single value that is given twice, and a field that is given
 * in both spellings.
 */
export function addQuery(
  request: JsonObject,
  message: DescMessage,
  query: URLSearchParams,
  assigned: ReadonlySet<DescField>,
  size: RequestSize,
): void {
  if (query.size === 0) return;
  if (query.size > size.fields)
    throw new CallError(callErrors.INVALID_REQUEST, { message: `The query has more than ${size.fields} parameters.` });
  const given = new Set<string>();
  for (const name of new Set(query.keys())) {
    const path = fieldPath(message, name);
    if (path === undefined) throw badParameter(name, "is not a parameter of this method");
    const spelling = path.map(({ jsonName }) => jsonName).join(".");
    if (given.has(spelling)) throw badParameter(name, "is given more than once");
    given.add(spelling);
    if (path.some((field) => assigned.has(field))) throw badParameter(name, "is given by the path or the body");
    const field = path.at(-1);
    const values = query.getAll(name);
    const [first] = values;
    if (field === undefined || first === undefined) continue;
    if (field.fieldKind !== "list" && values.length > 1) throw badParameter(name, "is given more than once");
    for (const value of values) requireEnumValue(name, field, value);
    const json = values.map((value) => jsonOf(name, field, value));
    setField(request, path, field.fieldKind === "list" ? json : (json[0] ?? null));
  }
}

/** Sets a field of a message's JSON. Creates the messages on its path, and removes the field's other spelling. */
export function setField(request: JsonObject, path: FieldPath, value: JsonValue): void {
  let at = request;
  for (const [index, field] of path.entries()) {
    const given = at[field.jsonName] ?? at[field.name];
    if (field.name !== field.jsonName) delete at[field.name];
    if (index === path.length - 1) {
      at[field.jsonName] = value;
      return;
    }
    const inner: JsonObject = isJsonObject(given) ? given : {};
    at[field.jsonName] = inner;
    at = inner;
  }
}

/**
 * Converts a text to the JSON value of a field. Integers follow proto3's JSON mapping; another text is refused with the
 * parameter's name. Other text that does not fit stays text, and is refused when the message is parsed.
 */
export function jsonOf(name: string, field: DescField, text: string): JsonValue {
  if (field.fieldKind === "enum" || (field.fieldKind === "list" && field.listKind === "enum"))
    return enumOf(field.enum, text);
  const scalar: ScalarType | undefined =
    field.fieldKind === "message" || field.fieldKind === "map" ? undefined : field.scalar;
  const range = scalar === undefined ? undefined : integerRangeOf(scalar);
  if (range !== undefined) {
    const value = integerIn(range, text);
    if (value === undefined) throw badParameter(name, integerRule(range));
    return `${value}`;
  }
  if (scalar === Scalar.BOOL && (text === "true" || text === "false")) return text === "true";
  return text;
}

/** Returns the enum value's name, or its number if the text is one that the enum has. */
function enumOf(desc: DescEnum, text: string): JsonValue {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  return number !== undefined && desc.value[number] !== undefined ? number : text;
}

function requireEnumValue(name: string, field: DescField, text: string): void {
  const desc = field.fieldKind === "enum" || field.fieldKind === "list" ? field.enum : undefined;
  if (desc === undefined || typeof enumOf(desc, text) === "number" || desc.values.some((value) => value.name === text))
    return;
  const names = desc.values.filter((value) => value.number !== 0).map((value) => value.name);
  throw badParameter(name, `must be one of ${names.join(", ")}`);
}

function fieldPath(message: DescMessage, name: string): FieldPath | undefined {
  const path: DescField[] = [];
  let at: DescMessage | undefined = message;
  for (const part of name.split(".")) {
    const field: DescField | undefined = at?.fields.find(({ name, jsonName }) => name === part || jsonName === part);
    if (field === undefined) return undefined;
    path.push(field);
    at = field.fieldKind === "message" ? field.message : undefined;
  }
  return isOneValue(path.at(-1)) ? path : undefined;
}

/**
 * Returns true if one parameter can hold the field: a scalar, an enum, a list of either, or a message whose JSON is one
 * string.
 */
export function isOneValue(field: DescField | undefined): boolean {
  if (field === undefined || field.fieldKind === "map") return false;
  if (field.fieldKind === "list") return field.listKind !== "message";
  return field.fieldKind !== "message" || textMessages.has(field.message.typeName);
}

function badParameter(name: string, what: string) {
  return new CallError(callErrors.INVALID_REQUEST, {
    message: `The query parameter ${name} ${what}.`,
    fields: [{ field: name, description: what }],
  });
}

/** Returns true for {...}: not for a list, not for null. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
