import type { Exchange } from "../exchange/exchange.ts";

/** How long a browser may cache the response to a preflight. */
const preflightSeconds = 7_200;
/** Request headers that a page may set, beside those that every page may. */
const requestHeaders = [
  "authorization",
  "connect-protocol-version",
  "connect-timeout-ms",
  "content-type",
  "grpc-timeout",
  "idempotency-key",
  "traceparent",
  "x-grpc-web",
  "x-request-id",
  "x-user-agent",
].join(", ");
/** Response headers that a page may read. */
const responseHeaders = [
  "grpc-message",
  "grpc-status",
  "grpc-status-details-bin",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "x-request-id",
].join(", ");

/** Cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export interface Cors {
  /** Sets the response headers that let a page of an allowed origin read the response. */
  setHeaders(exchange: Exchange): void;
  /** Answers a preflight of an allowed origin. Returns false for anything else. */
  answerPreflight(exchange: Exchange): boolean;
}

/**
 * Lets pages of these origins call, and no others. Tokens travel in a header that pages set themselves, so credentials
 * (cookies) are never allowed.
 */
export function createCors(origins: readonly string[]): Cors {
  const allowed = new Set(origins);
  return {
    setHeaders(exchange) {
      if (allowed.size === 0) return;
      exchange.setHeader("vary", "origin");
      const { origin } = exchange.request.headers;
      if (origin === undefined || !allowed.has(origin)) return;
      exchange.setHeader("access-control-allow-origin", origin);
      exchange.setHeader("access-control-expose-headers", responseHeaders);
      // Overrides "same-origin" of the security headers, which would keep the response from the page.
      exchange.setHeader("cross-origin-resource-policy", "cross-origin");
    },
    answerPreflight(exchange) {
      const { request, record } = exchange;
      if (request.method !== "OPTIONS") return false;
      const { origin } = request.headers;
      const isPreflight = "access-control-request-method" in request.headers;
      if (!isPreflight || origin === undefined || !allowed.has(origin)) return false;
      record.route = "preflight";
      const { response } = exchange;
      response.writeHead(204, {
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": requestHeaders,
        "access-control-max-age": `${preflightSeconds}`,
      });
      response.end();
      return true;
    },
  };
}
