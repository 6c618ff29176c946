import type { DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { type HttpRule, http } from "@rialto/contracts";
import { CallError, callErrors, type RequestSize, requestSizeOf } from "@rialto/rpc";
import { isPublished, procedureOf } from "../contract.ts";
import { jsonTextWriter, type WriteJsonText } from "./json-text.ts";
import { parsePathTemplate } from "./path-template.ts";

/** The path to a field: of a message, or of a message inside it. */
export type FieldPath = readonly DescField[];

/** One google.api.http rule, its names resolved to fields. */
export interface RestRoute {
  readonly httpMethod: string;
  /** As in the contract, "/api/orders/{id}". The access log has it instead of the path. */
  readonly template: string;
  readonly method: DescMethod;
  /** The fields that the path's variables set, in their order. */
  readonly variables: readonly FieldPath[];
  /** "*" for the whole request, a field of it, or undefined if the route takes no body. */
  readonly body: "*" | DescField | undefined;
  /** The field that is the whole response body. */
  readonly responseBody: DescField | undefined;
  /** Writes the response body of an answer, as far as it is sure of it. */
  readonly writeAnswer: WriteJsonText;
  /** The limits of the method's request. */
  readonly size: RequestSize;
  /** True if the response has a field that is marked `debug_redact`. */
  readonly answersSecrets: boolean;
}

export type RouteMatch =
  | { readonly kind: "found"; readonly route: RestRoute; readonly values: readonly string[] }
  | { readonly kind: "wrong-method"; readonly allow: readonly string[] }
  | { readonly kind: "malformed" }
  | { readonly kind: "unknown" };

export interface RouteTable {
  readonly routes: readonly RestRoute[];
  /**
   * Finds the route of a path, which has no query. A literal segment wins over a variable, a custom verb over a value
   * with a colon.
   */
  match(httpMethod: string, path: string): RouteMatch;
}

interface Node {
  readonly literals: Map<string, Node>;
  variable: Node | undefined;
  /** By custom verb, then by HTTP method. */
  readonly ends: Map<string, Map<string, RestRoute>>;
}

/**
 * Compiles the google.api.http rules of every published method into one table. Throws, naming the methods, if two
 * routes clash or a rule names a field that does not exist: the gateway does not start with such a contract.
 */
export function compileRoutes(services: readonly DescService[]): RouteTable {
  const root = newNode();
  const routes: RestRoute[] = [];
  for (const method of services.flatMap((service) => service.methods)) {
    if (!hasOption(method, http) || !isPublished(method)) continue;
    const rule = getOption(method, http);
    for (const binding of [rule, ...rule.additionalBindings]) {
      const route = compileRule(method, binding);
      insert(root, route);
      routes.push(route);
    }
  }
  return { routes, match: (httpMethod, path) => match(root, httpMethod, path) };
}

function compileRule(method: DescMethod, rule: HttpRule): RestRoute {
  const name = procedureOf(method);
  if (method.methodKind !== "unary") throw new Error(`${name}: only unary methods have REST routes`);
  const { case: kind, value } = rule.pattern;
  if (kind === undefined || kind === "custom")
    throw new Error(`${name}: the HTTP method must be one of get, put, post, delete, patch`);
  const { variables } = parsePathTemplate(value);
  const responseBody = rule.responseBody === "" ? undefined : fieldOf(method.output, rule.responseBody, name);
  return {
    httpMethod: kind.toUpperCase(),
    template: value,
    method,
    variables: variables.map((variable) => variablePath(method, variable)),
    body: rule.body === "" ? undefined : rule.body === "*" ? "*" : fieldOf(method.input, rule.body, name),
    responseBody,
    writeAnswer: jsonTextWriter(method.output, responseBody),
    size: requestSizeOf(method),
    answersSecrets: hasSecrets(method.output),
  };
}

function hasSecrets(message: DescMessage, seen: ReadonlySet<DescMessage> = new Set()): boolean {
  if (seen.has(message)) return false;
  const within = new Set([...seen, message]);
  return message.fields.some(
    (field) =>
      field.proto.options?.debugRedact === true || (field.message !== undefined && hasSecrets(field.message, within)),
  );
}

function variablePath(method: DescMethod, variable: string): FieldPath {
  const path: DescField[] = [];
  let message: DescMessage | undefined = method.input;
  for (const name of variable.split(".")) {
    if (message === undefined)
      throw new Error(`${procedureOf(method)}: {${variable}} continues after a field that is not a message`);
    const field: DescField = fieldOf(message, name, procedureOf(method));
    path.push(field);
    message = field.fieldKind === "message" ? field.message : undefined;
  }
  const last = path.at(-1);
  if (last?.fieldKind !== "scalar" && last?.fieldKind !== "enum")
    throw new Error(`${procedureOf(method)}: {${variable}} is not a single value`);
  return path;
}

function fieldOf(message: DescMessage, name: string, procedure: string): DescField {
  const field = message.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new Error(`${procedure}: ${message.typeName} has no field ${name}`);
  return field;
}

function newNode(): Node {
  return { literals: new Map(), variable: undefined, ends: new Map() };
}

function insert(root: Node, route: RestRoute): void {
  const { segments, verb } = parsePathTemplate(route.template);
  let node = root;
  for (const segment of segments) {
    const next: Node = (segment === null ? node.variable : node.literals.get(segment)) ?? newNode();
    if (segment === null) node.variable = next;
    else node.literals.set(segment, next);
    node = next;
  }
  const methods = node.ends.get(verb) ?? new Map<string, RestRoute>();
  node.ends.set(verb, methods);
  const other = methods.get(route.httpMethod);
  if (other !== undefined)
    throw new Error(
      `${route.httpMethod} ${route.template} is claimed by ${procedureOf(other.method)} and ${procedureOf(route.method)}`,
    );
  methods.set(route.httpMethod, route);
}

function match(root: Node, httpMethod: string, path: string): RouteMatch {
  const segments = path.split("/").slice(1);
  const last = segments.at(-1) ?? "";
  // A trailing colon has no verb after it, so no template matches.
  if (last.endsWith(":")) return { kind: "unknown" };
  const rest = segments.slice(0, -1);
  const readings: { segments: readonly string[]; verb: string }[] = [{ segments, verb: "" }];
  const colon = last.lastIndexOf(":");
  if (colon > 0) readings.unshift({ segments: [...rest, last.slice(0, colon)], verb: last.slice(colon + 1) });
  // An encoded colon belongs to the value. If no route takes such a value, the client encoded a verb's colon without
  // need.
  const encoded = last.toUpperCase().lastIndexOf("%3A");
  if (encoded > 0) readings.push({ segments: [...rest, last.slice(0, encoded)], verb: last.slice(encoded + 3) });

  const allow = new Set<string>();
  for (const reading of readings) {
    const match = walk(root, reading.segments, [], (ends, values) => {
      const methods = ends.get(reading.verb);
      const route = methods?.get(httpMethod);
      if (route !== undefined) return found(route, values);
      for (const other of methods?.keys() ?? []) allow.add(other);
      return undefined;
    });
    if (match !== undefined) return match;
  }
  return allow.size > 0 ? { kind: "wrong-method", allow: [...allow].sort() } : { kind: "unknown" };
}

function found(route: RestRoute, values: readonly string[]): RouteMatch {
  try {
    return { kind: "found", route, values: values.map(decodeURIComponent) };
  } catch {
    return { kind: "malformed" };
  }
}

/**
 * Calls `visit` with the ends of each template that the segments match, the most literal first, until it returns a
 * match, and returns that.
 */
function walk(
  node: Node,
  segments: readonly string[],
  values: readonly string[],
  visit: (ends: Node["ends"], values: readonly string[]) => RouteMatch | undefined,
  at = 0,
): RouteMatch | undefined {
  const segment = segments[at];
  if (segment === undefined) return visit(node.ends, values);
  const literal = node.literals.get(segment);
  const match = literal === undefined ? undefined : walk(literal, segments, values, visit, at + 1);
  if (match !== undefined || node.variable === undefined || segment === "") return match;
  return walk(node.variable, segments, [...values, segment], visit, at + 1);
}

/** Makes the error for a path that accepts other HTTP methods: 405, with the header `allow`. */
export function wrongMethod(methods: readonly string[]): CallError {
  const allow = methods.join(", ");
  const message = `This path takes ${allow}.`;
  return new CallError(callErrors.METHOD_UNKNOWN, { message, http: { status: 405, headers: { allow } } });
}

/** Makes the error for a request that matches no route. A path that accepts GET accepts HEAD too. */
export function unrouted(match: Exclude<RouteMatch, { readonly kind: "found" }>): CallError {
  switch (match.kind) {
    case "malformed":
      return new CallError(callErrors.INVALID_REQUEST, { message: "The path is not well encoded." });
    case "wrong-method":
      return wrongMethod(match.allow.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])));
    case "unknown":
      return new CallError({
        ...callErrors.METHOD_UNKNOWN,
        code: "not_found",
        message: "There is nothing at this path.",
      });
  }
}
