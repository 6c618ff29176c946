import type { DescField, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { accessOf } from "@rialto/rpc";
import type { RestRoute } from "../../rest/routes.ts";
import { commentOf, summaryOf } from "./comment.ts";
import type { JsonSchema } from "./json-schema.ts";
import { documentedPath, type Parameter, pathParameters, queryParameters } from "./parameters.ts";
import { createSchemas, type Schemas } from "./schemas.ts";

/** The description of the REST API, OpenAPI 3.1. */
export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, Content & { readonly description: string }>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}

/** One HTTP method of a path. */
export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: Content & { readonly required: boolean };
  readonly responses: Readonly<Record<string, object>>;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
}

interface Content {
  readonly content: { readonly "application/json": { readonly schema: JsonSchema } };
}

/**
 * Describes routes by the descriptors of their methods: comments, validation rules and access policies of the contract.
 */
export function describeRoutes(routes: readonly RestRoute[]): OpenApiDocument {
  const schemas = createSchemas();
  const paths: Record<string, Record<string, Operation>> = {};
  const services = new Set<DescService>();
  const seen = new Map<string, number>();
  for (const route of routes) {
    services.add(route.method.parent);
    const name = `${route.method.parent.name}.${route.method.name}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const operation = operationOf(route, schemas, count === 1 ? name : `${name}.${count}`);
    const template = documentedPath(route);
    const path = paths[template] ?? {};
    paths[template] = path;
    path[route.httpMethod.toLowerCase()] = operation;
  }
  return {
    openapi: "3.1.0",
    info: { title: "Rialto", version: "v1", description: introduction },
    servers: [{ url: "/" }],
    tags: [...services].map((service) => ({ name: service.name, description: commentOf(service) })),
    paths,
    components: {
      schemas: { ...schemas.components, "google.rpc.Status": statusSchema },
      responses: { Error: { description: "The call was refused or failed.", ...json(refTo("google.rpc.Status")) } },
      securitySchemes: { accessToken: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

function operationOf(route: RestRoute, schemas: Schemas, operationId: string): Operation {
  const { method } = route;
  const policy = accessOf(method);
  const isPublic = policy?.roles.includes("PUBLIC") === true;
  const comment = commentOf(method);
  const parameters = [...pathParameters(route, schemas), ...queryParameters(route, schemas)];
  if (method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT) parameters.push(idempotencyKey);
  const body = bodyOf(route, schemas);
  return {
    operationId,
    tags: [method.parent.name],
    summary: summaryOf(comment),
    description: [comment, accessText(policy)].join("\n\n"),
    parameters,
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      "200": { description: commentOf(method.output), ...json(answerOf(route, schemas)) },
      default: { $ref: "#/components/responses/Error" },
    },
    security: isPublic ? [] : [{ accessToken: policy?.roles ?? [] }],
  };
}

function accessText(policy: ReturnType<typeof accessOf>): string {
  if (policy === undefined || policy.roles.includes("PUBLIC")) return "Needs no access token.";
  const roles = policy.roles.map((role) => (role === "CUSTOMER" && policy.owned ? "CUSTOMER (their own only)" : role));
  return `Needs an access token of: ${roles.join(", ")}.`;
}

function bodyOf(route: RestRoute, schemas: Schemas): Operation["requestBody"] {
  const { body, method } = route;
  if (body === undefined) return undefined;
  if (body !== "*") {
    const { schema, required } = schemas.field(body, "request");
    return { required, ...json(schema) };
  }
  const inPath = new Set(route.variables.flatMap((path): DescField[] => (path.length === 1 ? [...path] : [])));
  const schema = schemas.message(method.input, "request", inPath);
  const required = method.input.fields.some((field) => !inPath.has(field) && schemas.field(field, "request").required);
  return { required, ...json(schema) };
}

function answerOf({ method, responseBody }: RestRoute, schemas: Schemas): JsonSchema {
  return responseBody === undefined
    ? schemas.message(method.output, "answer")
    : schemas.field(responseBody, "answer").schema;
}

function json(schema: JsonSchema): Content {
  return { content: { "application/json": { schema } } };
}

function refTo(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

const idempotencyKey: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "Makes the call safe to repeat: the work of one key is done once, and a repeated call gets the same response.",
  schema: { type: "string", pattern: "^[!-~]{1,255}$" },
};

const statusSchema: JsonSchema = {
  type: "object",
  description:
    "Why a call was refused or failed. Among the details is google.rpc.ErrorInfo, whose reason is for programs.",
  properties: {
    code: { type: "integer", description: "The number of the code in gRPC.", minimum: 1, maximum: 16 },
    message: { type: "string", description: "For people. May change." },
    details: {
      type: "array",
      items: { type: "object", properties: { "@type": { type: "string" } }, required: ["@type"] },
    },
  },
  required: ["code", "message", "details"],
};

const introduction = [
  "Orders, from the catalog to delivery. The same methods can be called by Connect, gRPC and gRPC-Web, on the same port.",
  "Amounts are in the smallest unit of their currency, and strings, because they are 64-bit integers. Lists are paged, newest first.",
].join(" ");
