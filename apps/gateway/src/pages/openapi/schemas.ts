import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { commentOf, withNotes } from "./comment.ts";
import type { JsonSchema } from "./json-schema.ts";
import { constraintsOf, messageNotes } from "./rules.ts";

/** In a request, the contract's validation rules apply. In a response, a field with presence may be missing. */
export type Direction = "request" | "answer";

/** JSON schemas of messages and enums, by proto3's JSON mapping. Made when they are first needed. */
export interface Schemas {
  /** The schema of a field with its rules, and whether the field is required. */
  field(field: DescField, direction: Direction): { readonly schema: JsonSchema; readonly required: boolean };
  /** The schema of a message: a reference, or in place if fields are left out. */
  message(message: DescMessage, direction: Direction, without?: ReadonlySet<DescField>): JsonSchema;
  /** The schemas that were referred to, by name. */
  readonly components: Readonly<Record<string, JsonSchema>>;
}

export function createSchemas(): Schemas {
  const components: Record<string, JsonSchema> = {};

  const refer = (name: string, make: () => JsonSchema): JsonSchema => {
    if (components[name] === undefined) {
      components[name] = {}; // A message may hold itself.
      components[name] = make();
    }
    return { $ref: `#/components/schemas/${name}` };
  };

  const typeOf = (field: DescField, direction: Direction): JsonSchema => {
    switch (field.fieldKind) {
      case "scalar":
        return scalarSchema(field.scalar);
      case "enum":
        return enumSchema(field.enum);
      case "message":
        return messageOf(field.message, direction);
      case "list":
        return { type: "array", items: itemOf(field, direction) };
      case "map":
        return { type: "object", additionalProperties: itemOf(field, direction) };
    }
  };

  const itemOf = (field: DescField & { fieldKind: "list" | "map" }, direction: Direction): JsonSchema => {
    if (field.message !== undefined) return messageOf(field.message, direction);
    if (field.enum !== undefined) return enumSchema(field.enum);
    return scalarSchema(field.scalar ?? ScalarType.STRING);
  };

  const enumSchema = (desc: DescEnum): JsonSchema =>
    refer(componentName(desc.typeName), () => ({
      type: "string",
      enum: desc.values.map(({ name }) => name),
      description: withNotes(
        commentOf(desc),
        desc.values.map((value) => `${value.name}: ${commentOf(value)}`),
      ),
    }));

  const fieldOf: Schemas["field"] = (field, direction) => {
    const value = typeOf(field, direction);
    const description = commentOf(field);
    if (direction === "answer") {
      // A field without presence is always written.
      const required = field.oneof === undefined && !hasPresence(field);
      return { schema: { ...value, description }, required };
    }
    const { schema, required, notes } = constraintsOf(field);
    const items = schema.items === undefined ? {} : { items: { ...value.items, ...schema.items } };
    return { schema: { ...value, ...schema, ...items, description: withNotes(description, notes) }, required };
  };

  const objectOf = (message: DescMessage, direction: Direction, without: ReadonlySet<DescField>): JsonSchema => {
    const fields = message.fields
      .filter((field) => !without.has(field))
      .map((field) => ({ name: field.jsonName, ...fieldOf(field, direction) }));
    const required = fields.filter((field) => field.required).map(({ name }) => name);
    return {
      type: "object",
      description: withNotes(commentOf(message), direction === "request" ? messageNotes(message) : []),
      properties: Object.fromEntries(fields.map(({ name, schema }) => [name, schema])),
      ...(required.length > 0 ? { required } : {}),
      // A request with an unknown field is refused; a response may get new fields.
      ...(direction === "request" ? { additionalProperties: false } : {}),
    };
  };

  const messageOf: Schemas["message"] = (message, direction, without) => {
    const known = wellKnown[message.typeName];
    if (known !== undefined) return known;
    if (without !== undefined && without.size > 0) return objectOf(message, direction, without);
    const name = componentName(message.typeName);
    return refer(direction === "request" ? `${name}.Input` : name, () => objectOf(message, direction, new Set()));
  };

  return { field: fieldOf, message: messageOf, components };
}

function hasPresence(field: DescField): boolean {
  return (
    field.fieldKind === "message" ||
    (field.fieldKind !== "list" && field.fieldKind !== "map" && field.proto.proto3Optional)
  );
}

function componentName(typeName: string): string {
  return typeName.replace(/^rialto\./, "");
}

function scalarSchema(scalar: ScalarType): JsonSchema {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: "number" };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { type: "integer", format: "int32", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { type: "integer", format: "int64", minimum: 0, maximum: 2 ** 32 - 1 };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      // A string, because JavaScript's integers are exact only up to 2^53. Eighteen digits always fit.
      return { type: "string", format: "int64", pattern: "^-?[0-9]{1,18}$" };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { type: "string", format: "uint64", pattern: "^[0-9]{1,19}$" };
  }
}

/** Messages with their own JSON mapping in proto3. */
const wellKnown: Readonly<Record<string, JsonSchema>> = {
  "google.protobuf.Timestamp": {
    type: "string",
    format: "date-time",
    pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$",
  },
  "google.protobuf.Duration": { type: "string", pattern: "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$" },
  "google.protobuf.FieldMask": { type: "string" },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
  "google.protobuf.Value": {},
  "google.protobuf.ListValue": { type: "array" },
  "google.protobuf.Empty": { type: "object" },
};
