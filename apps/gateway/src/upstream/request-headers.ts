import {
  clientAddressHeader,
  requestIdHeader,
  serviceTokenHeader,
  traceparentHeader,
  userTokenHeader,
} from "@rialto/rpc";
import type { Exchange } from "../exchange/exchange.ts";

/**
 * Request headers that pass to a service. It is a list of what passes, not of what does not: hop-by-hop headers,
 * cookies, access tokens, and headers that claim an internal identity (rialto-*) are dropped without being named.
 */
const passed = [
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
  "tracestate",
  "user-agent",
  "x-grpc-web",
  "x-user-agent",
] as const;

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

/**
 * Returns the headers of the call to a service: the client's that pass, and the gateway's own: request id, trace, the
 * token that identifies the gateway, the token of the person, and the client's address.
 */
export function headersInward(
  { request, requestId, trace, clientAddress }: Exchange,
  o: { readonly serviceToken: string; readonly authorization: string | undefined },
): Headers {
  const headers = new Headers();
  for (const name of passed) {
    const value = request.headers[name];
    if (typeof value === "string") headers.set(name, value);
  }
  headers.set(requestIdHeader, requestId);
  headers.set(traceparentHeader, trace.traceparent);
  headers.set(serviceTokenHeader, o.serviceToken);
  if (o.authorization !== undefined) headers.set(userTokenHeader, o.authorization);
  headers.set(clientAddressHeader, clientAddress);
  return headers;
}

/** Returns the response headers that pass to the client. */
export function headersOutward(headers: Headers): Record<string, string> {
  const outward: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (!withheld.has(name) && !name.startsWith("rialto-")) outward[name] = value;
  }
  return outward;
}
