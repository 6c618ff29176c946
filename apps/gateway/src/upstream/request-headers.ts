import {
  clientAddressHeader,
  requestIdHeader,
  serviceTokenHeader,
  traceparentHeader,
  userTokenHeader,
  type WholeAnswer,
} from "@rialto/rpc";
import { allowedBaggage, boundedTracestate, type RecordedSpan } from "@rialto/telemetry";
import type { Exchange } from "../exchange/exchange.ts";

/**
 * Request headers that pass to a service. It is a list of what passes, not of what does not: hop-by-hop headers,
 * cookies, access tokens, and headers that claim an internal identity (rialto-*) are dropped without being named.
 */
const passed: readonly string[] = [
  "accept",
  "accept-encoding",
  "connect-accept-encoding",
  "connect-content-encoding",
  "connect-protocol-version",
  "connect-timeout-ms",
  "content-encoding",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "idempotency-key",
  "user-agent",
  "x-grpc-web",
  "x-user-agent",
];

/** Response headers that do not pass to the client, beside those that start with "rialto-". */
const withheld: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
]);

/** Fields of a request or a response, by their names in lower case. */
export type Fields = Record<string, string>;

/** What names the gateway, and the person, to one service. */
export interface InwardTokens {
  readonly serviceToken: string;
  readonly authorization: string | undefined;
}

const passedOfAll: ReadonlySet<string> = new Set(passed);

/** Returns the names of the client's headers that pass: those of the protocols, and `more`. */
export function passedNames(more: readonly string[] | undefined): ReadonlySet<string> {
  return more === undefined ? passedOfAll : new Set([...passed, ...more]);
}

/** What else goes with a call. */
export interface PassedOn {
  /** Names of the client's headers that pass, as `passedNames` returns them. */
  readonly names: ReadonlySet<string>;
  /** Names of the entries of `baggage` that pass. None if left out. */
  readonly baggageNames?: ReadonlySet<string> | undefined;
  /** The span of the call, where its trace is recorded. */
  readonly span?: RecordedSpan | undefined;
}

/**
 * Returns the fields of the call to a service: the client's that pass, and the gateway's own: request id, trace, the
 * token that identifies the gateway, the token of the person, and the client's address.
 */
export function fieldsInward(
  { request, requestId, trace, clientAddress }: Exchange,
  o: InwardTokens,
  { names, baggageNames, span }: PassedOn,
): Fields {
  const fields: Fields = {};
  const { headers } = request;
  // A request has fewer than may pass.
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string" && names.has(name)) fields[name] = value;
  }
  fields[requestIdHeader] = requestId;
  fields[traceparentHeader] = (span ?? trace).traceparent;
  const { tracestate, baggage } = headers;
  const state = typeof tracestate === "string" ? boundedTracestate(tracestate) : undefined;
  if (state !== undefined) fields.tracestate = state;
  const entries =
    typeof baggage === "string" && baggageNames !== undefined ? allowedBaggage(baggage, baggageNames) : undefined;
  if (entries !== undefined) fields.baggage = entries;
  fields[serviceTokenHeader] = o.serviceToken;
  if (o.authorization !== undefined) fields[userTokenHeader] = o.authorization;
  fields[clientAddressHeader] = clientAddress;
  return fields;
}

/** Returns the response headers that pass to the client. */
export function headersOutward(headers: Headers): Fields {
  const outward: Fields = {};
  for (const [name, value] of headers) if (passes(name)) outward[name] = value;
  return outward;
}

/** The same of fields as Node's parser read them. */
export function fieldsOutward(fields: WholeAnswer["fields"]): Fields {
  const outward: Fields = {};
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined && passes(name)) outward[name] = typeof value === "string" ? value : value.join(", ");
  }
  return outward;
}

function passes(name: string): boolean {
  return !withheld.has(name) && !name.startsWith("rialto-");
}
