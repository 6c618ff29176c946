import {
  clientAddressHeader,
  requestIdHeader,
  serviceTokenHeader,
  traceparentHeader,
  userTokenHeader,
} from "@rialto/rpc";
import type { Exchange } from "../exchange/exchange.ts";

/**
 * What a client may say to a service. A list of what passes, not of what does not: hop-by-hop headers, cookies, access
 * tokens, and the headers that claim an identity inside (rialto-*) stay outside without being named.
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

/** The headers that a service answers with and a client may not see, beside the hop-by-hop ones. */
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
 * The headers of the call behind: what passes, and what the gateway says of the request itself: who passes it on, and
 * for whom.
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

/** The headers of an answer that go on to the client. */
export function headersOutward(headers: Headers): Record<string, string> {
  const outward: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (!withheld.has(name) && !name.startsWith("rialto-")) outward[name] = value;
  }
  return outward;
}
