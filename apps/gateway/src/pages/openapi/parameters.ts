import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isOneValue } from "../../rest/query-parameters.ts";
import type { FieldPath, RestRoute } from "../../rest/routes.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Schemas } from "./schemas.ts";

/** A value of a request outside its body. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

/** Depth up to which nested fields are described as parameters. */
const depthMax = 4;

/**
 * Returns a path template for OpenAPI: {user.id} becomes {id}, because tools give the dot another meaning. Two methods
 * of one path therefore share it.
 */
export function documentedPath(route: RestRoute): string {
  return route.template.replaceAll(/\{([^}=]+)(?:=[^}]*)?\}/g, (_all, variable: string) => `{${lastOf(variable)}}`);
}

function lastOf(variable: string): string {
  return variable.slice(variable.lastIndexOf(".") + 1);
}

/** Returns the variables of a path. */
export function pathParameters(route: RestRoute, schemas: Schemas): Parameter[] {
  return route.variables.flatMap((path) => {
    const field = path.at(-1);
    if (field === undefined) return [];
    const { schema } = schemas.field(field, "request");
    // An empty segment makes a different path, and a slash ends the segment.
    const rules =
      schema.type === "string" ? { minLength: 1, ...(schema.pattern === undefined ? { pattern: "^[^/]+$" } : {}) } : {};
    return [parameter("path", field.name, true, { ...rules, ...schema })];
  });
}

/** Returns the fields that neither path nor body set: scalars, enums, lists of them, and nested fields, with dots. */
export function queryParameters(route: RestRoute, schemas: Schemas): Parameter[] {
  if (route.body === "*") return [];
  const assigned = new Set(route.variables.map((path) => path.at(-1)));
  if (route.body !== undefined) assigned.add(route.body);
  return [...leaves(route.method.input, [], assigned)].map((path) => {
    const required = path.map((field) => schemas.field(field, "request").required);
    const field = path.at(-1);
    const { schema } = field === undefined ? { schema: {} } : schemas.field(field, "request");
    return parameter("query", path.map(({ jsonName }) => jsonName).join("."), required.every(Boolean), schema);
  });
}

function* leaves(
  message: DescMessage,
  path: FieldPath,
  assigned: ReadonlySet<DescField | undefined>,
): Generator<FieldPath> {
  for (const field of message.fields) {
    if (assigned.has(field)) continue;
    const here = [...path, field];
    if (isOneValue(field)) yield here;
    else if (field.fieldKind === "message" && here.length < depthMax) yield* leaves(field.message, here, assigned);
  }
}

function parameter(place: Parameter["in"], name: string, required: boolean, o: JsonSchema): Parameter {
  const { description = "", ...schema } = o;
  return { name, in: place, required, description, schema };
}
