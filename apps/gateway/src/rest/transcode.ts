import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { CallError, callErrors, type RequestSize, requestSizeOf, scanJson, withoutValues } from "@rialto/rpc";
import { addQuery, isJsonObject, jsonOf, setField } from "./query-parameters.ts";
import type { RestRoute } from "./routes.ts";

/**
 * Makes the Connect JSON of a REST request from its path, query and body, by the method's descriptor. The path wins
 * over the body if both set a field. Parsing into the message and serializing it again normalizes spelling and types,
 * and refuses by name what does not fit, before a service is called.
 */
export function connectRequestOf(
  route: RestRoute,
  values: readonly string[],
  query: URLSearchParams,
  body: string,
): Uint8Array {
  const { input } = route.method;
  const size = requestSizeOf(route.method);
  const request = bodyOf(route, body, size);
  const assigned = new Set(route.body === "*" ? input.fields : route.body === undefined ? [] : [route.body]);
  for (const [index, path] of route.variables.entries()) {
    const field = path.at(-1);
    const value = values[index];
    if (field === undefined || value === undefined) continue;
    setField(request, path, jsonOf(field.name, field, value));
    assigned.add(field);
  }
  addQuery(request, input, query, assigned, size);
  try {
    return Buffer.from(JSON.stringify(toJson(input, fromJson(input, request))));
  } catch (error) {
    throw doesNotFit(error);
  }
}

/** Makes the REST response from a Connect JSON response: all of it, or the one field that `response_body` names. */
export function restAnswerOf(route: RestRoute, answer: string): string {
  const field = route.responseBody;
  if (field === undefined) return answer;
  const whole: JsonValue = JSON.parse(answer);
  const part = isJsonObject(whole) ? (whole[field.jsonName] ?? whole[field.name]) : undefined;
  return JSON.stringify(part ?? (field.fieldKind === "list" ? [] : {}));
}

function bodyOf(route: RestRoute, text: string, size: RequestSize): JsonObject {
  if (route.body === undefined) {
    if (text.trim() !== "") throw bad("This method takes no body.");
    return {};
  }
  // A POST without a body (curl -X POST .../orders/1:cancel) is read as {}.
  const json = text.trim() === "" ? {} : parse(route, text, size);
  if (route.body !== "*") return { [route.body.jsonName]: json };
  if (!isJsonObject(json)) throw bad("The body must be a JSON object.");
  return json;
}

/** Parses a body. It is scanned first, and an error describes it without quoting it. */
function parse(route: RestRoute, text: string, size: RequestSize): JsonValue {
  const bytes = Buffer.from(text);
  if (bytes.length > size.bytes) throw bad(`The body is larger than ${size.bytes} bytes.`, 413);
  const scan = scanJson(typeof route.body === "object" ? route.body : route.method.input, bytes, size);
  if (scan.violation === undefined) return JSON.parse(Buffer.from(scan.bytes).toString());
  const { field, description } = scan.violation;
  const within = typeof route.body === "object" ? route.body.name : "";
  const path = [within, field].filter((part) => part !== "").join(".");
  throw new CallError(callErrors.INVALID_REQUEST, {
    message: `${field === "" ? "The body" : path} ${description}.`,
    fields: [{ field: path, description }],
  });
}

function doesNotFit(error: unknown) {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!isFieldError(cause))
    return bad(error instanceof Error ? withoutValues(error.message) : "The request does not fit.");
  const field = cause.field();
  const description = withoutValues(cause.message);
  return new CallError(callErrors.INVALID_REQUEST, {
    message: `${field.name}: ${description}`,
    fields: [{ field: field.name, description }],
  });
}

function bad(message: string, status?: number) {
  return new CallError(callErrors.INVALID_REQUEST, { message, http: { status } });
}
