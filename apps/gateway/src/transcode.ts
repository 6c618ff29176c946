import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { callErrors } from "@rialto/rpc";
import { isJsonObject } from "./json-object.ts";
import { addQuery, jsonOf, setField } from "./query-parameters.ts";
import { refused } from "./refused.ts";
import type { RestRoute } from "./routes.ts";

/**
 * Makes the Connect JSON of a REST request out of its path, its query and its body, by the method's descriptor. The path wins over
 * the body where both name a field. Reading it into the message and writing it again settles spelling and types, and refuses what
 * does not fit, by name, before a service is troubled.
 */
export function connectRequestOf(
  route: RestRoute,
  values: readonly string[],
  query: URLSearchParams,
  body: string,
): Uint8Array {
  const { input } = route.method;
  const request = bodyOf(route, body);
  const taken = new Set(route.body === "*" ? input.fields : route.body === undefined ? [] : [route.body]);
  for (const [index, path] of route.variables.entries()) {
    const field = path.at(-1);
    const value = values[index];
    if (field === undefined || value === undefined) continue;
    setField(request, path, jsonOf(field, value));
    taken.add(field);
  }
  addQuery(request, input, query, taken);
  try {
    return Buffer.from(JSON.stringify(toJson(input, fromJson(input, request))));
  } catch (error) {
    throw doesNotFit(error);
  }
}

/** The REST answer out of a Connect JSON answer: the whole, or the one field that `response_body` names. */
export function restAnswerOf(route: RestRoute, answer: string): string {
  const field = route.responseBody;
  if (field === undefined) return answer;
  const whole: JsonValue = JSON.parse(answer);
  const part = isJsonObject(whole) ? (whole[field.jsonName] ?? whole[field.name]) : undefined;
  return JSON.stringify(part ?? (field.fieldKind === "list" ? [] : {}));
}

function bodyOf(route: RestRoute, text: string): JsonObject {
  if (route.body === undefined) {
    if (text.trim() !== "") throw bad("This method takes no body.");
    return {};
  }
  // A POST that says nothing (curl -X POST .../orders/1:cancel) says {}.
  const json = text.trim() === "" ? {} : parse(text);
  if (route.body !== "*") return { [route.body.jsonName]: json };
  if (!isJsonObject(json)) throw bad("The body must be a JSON object.");
  return json;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes the text, which may hold a password: only the position is said.
    const where = /at position \d+( \(line \d+ column \d+\))?/.exec(error instanceof Error ? error.message : "")?.[0];
    throw bad(`The body is not valid JSON${where === undefined ? "" : ` ${where}`}.`);
  }
}

function doesNotFit(error: unknown) {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!isFieldError(cause)) return bad(error instanceof Error ? error.message : "The request does not fit.");
  const field = cause.field();
  return refused(callErrors.INVALID_REQUEST, {
    message: `${field.name}: ${cause.message}`,
    fields: [{ field: field.name, description: cause.message }],
  });
}

function bad(message: string) {
  return refused(callErrors.INVALID_REQUEST, { message });
}
