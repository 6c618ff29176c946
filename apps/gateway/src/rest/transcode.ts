import { fromJson, type JsonObject, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { CallError, callErrors, type RequestSize, scanJson, withoutValues } from "@rialto/rpc";
import { addQuery, isJsonObject, jsonOf, setField } from "./query-parameters.ts";
import type { RestRoute } from "./routes.ts";

/**
 * Makes the message of a REST request from its path, query and body, by the method's descriptor. The path wins over the
 * body if both set a field. Throws INVALID_REQUEST, by name, for what does not fit; a body is scanned before it is
 * parsed.
 */
export function requestOf(route: RestRoute, values: readonly string[], query: URLSearchParams, body: string): Message {
  const { method, size } = route;
  const { input } = method;
  const { json, fields } = bodyOf(route, body, size);
  const assigned = new Set(route.body === "*" ? input.fields : route.body === undefined ? [] : [route.body]);
  for (const [index, path] of route.variables.entries()) {
    const field = path.at(-1);
    const value = values[index];
    if (field === undefined || value === undefined) continue;
    setField(json, path, jsonOf(field.name, field, value));
    assigned.add(field);
  }
  addQuery(json, input, query, assigned, size);
  if (fields + query.size > size.fields) throw bad(`The request has more than ${size.fields} fields and items.`);
  try {
    return fromJson(input, json);
  } catch (error) {
    throw doesNotFit(error);
  }
}

/**
 * Makes the JSON of a REST response: all of the answer, or the one field that `response_body` names. A person who reads
 * it expects to see `"available": 0`, so every field is written, as the services write theirs.
 */
export function responseOf(route: RestRoute, answer: Readonly<Message>): string {
  const text = route.writeAnswer(answer);
  if (text !== undefined) return text;
  const field = route.responseBody;
  const whole = toJson(route.method.output, answer, { alwaysEmitImplicit: true });
  if (field === undefined) return JSON.stringify(whole);
  const part = isJsonObject(whole) ? whole[field.jsonName] : undefined;
  return JSON.stringify(part ?? (field.fieldKind === "list" ? [] : {}));
}

/** The JSON of a request as far as the body gives it, and the number of its fields. */
interface Body {
  readonly json: JsonObject;
  readonly fields: number;
}

function bodyOf(route: RestRoute, text: string, size: RequestSize): Body {
  if (route.body === undefined) {
    if (text.trim() !== "") throw bad("This method takes no body.");
    return { json: {}, fields: 0 };
  }
  // A POST without a body (curl -X POST .../orders/1:cancel) is read as {}.
  const { json, fields } = text.trim() === "" ? { json: {}, fields: 0 } : parse(route, text, size);
  if (route.body !== "*") return { json: { [route.body.jsonName]: json }, fields: fields + 1 };
  if (!isJsonObject(json)) throw bad("The body must be a JSON object.");
  return { json, fields };
}

/** Parses a body. It is scanned first, and an error describes it without quoting it. */
function parse(
  route: RestRoute,
  text: string,
  size: RequestSize,
): { readonly json: JsonValue; readonly fields: number } {
  const bytes = Buffer.from(text);
  if (bytes.length > size.bytes) throw bad(`The body is larger than ${size.bytes} bytes.`, 413);
  const part = typeof route.body === "object" ? route.body : undefined;
  // A body that is one field of the request is one level further in.
  const within = part === undefined ? size : { ...size, depth: size.depth - 1 };
  const scan = scanJson(part ?? route.method.input, bytes, within);
  if (scan.violation === undefined) {
    const exact = scan.bytes === bytes ? text : Buffer.from(scan.bytes).toString();
    return { json: JSON.parse(exact), fields: scan.fields };
  }
  const { field, description } = scan.violation;
  const path = [part?.name ?? "", field].filter((name) => name !== "").join(".");
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
