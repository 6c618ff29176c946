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

/** How deep a nested field may stand to be described as a parameter. */
const depthMax = 4;

/**
 * A template as OpenAPI writes it: {user.id} is {id}, as tools take a dot for something else. So two methods of one
 * path share it.
 */
export function documentedPath(route: RestRoute): string {
  return route.template.replaceAll(/\{([^}=]+)(?:=[^}]*)?\}/g, (_all, variable: string) => `{${lastOf(variable)}}`);
}

function lastOf(variable: string): string {
  return variable.slice(variable.lastIndexOf(".") + 1);
}

/** The variables of a path. */
export function pathParameters(route: RestRoute, schemas: Schemas): Parameter[] {
  return route.variables.flatMap((path) => {
    const field = path.at(-1);
    if (field === undefined) return [];
    const { schema } = schemas.field(field, "request");
    // An empty segment is another path, and a slash ends one.
    const rules =
      schema.type === "string" ? { minLength: 1, ...(schema.pattern === undefined ? { pattern: "^[^/]+$" } : {}) } : {};
    return [parameter("path", field.name, true, { ...rules, ...schema })];
  });
}

/**
 * The fields that neither path nor body give: scalars, enums, lists of them, and what stands inside messages, with
 * dots.
 */
export function queryParameters(route: RestRoute, schemas: Schemas): Parameter[] {
  if (route.body === "*") return [];
  const taken = new Set(route.variables.map((path) => path.at(-1)));
  if (route.body !== undefined) taken.add(route.body);
  return [...leaves(route.method.input, [], taken)].map((path) => {
    const required = path.map((field) => schemas.field(field, "request").required);
    const field = path.at(-1);
    const { schema } = field === undefined ? { schema: {} } : schemas.field(field, "request");
    return parameter("query", path.map(({ jsonName }) => jsonName).join("."), required.every(Boolean), schema);
  });
}

function* leaves(
  message: DescMessage,
  path: FieldPath,
  taken: ReadonlySet<DescField | undefined>,
): Generator<FieldPath> {
  for (const field of message.fields) {
    if (taken.has(field)) continue;
    const here = [...path, field];
    if (isOneValue(field)) yield here;
    else if (field.fieldKind === "message" && here.length < depthMax) yield* leaves(field.message, here, taken);
  }
}

function parameter(place: Parameter["in"], name: string, required: boolean, o: JsonSchema): Parameter {
  const { description = "", ...schema } = o;
  return { name, in: place, required, description, schema };
}
