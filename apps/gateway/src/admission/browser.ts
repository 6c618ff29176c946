import type { Exchange } from "../exchange/exchange.ts";

/** How long a browser may remember what a preflight was told. */
const preflightSeconds = 7_200;
/** The headers of a request that a page may set, beside those that every page may. */
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
/** The headers of an answer that a page may read. */
const responseHeaders = [
  "grpc-message",
  "grpc-status",
  "grpc-status-details-bin",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "x-request-id",
].join(", ");

/** What the gateway tells browsers. */
export interface Browser {
  /** Sets the headers that every answer has, and those for a page of an allowed origin. */
  greet(exchange: Exchange): void;
  /** Answers a preflight of an allowed origin; false for anything else. */
  answerPreflight(exchange: Exchange): boolean;
}

/**
 * Nothing of an API is to be framed, sniffed or run, and no page of another origin may read it but those that are named. Tokens travel in a
 * header that pages must set themselves, so no cookie is ever allowed along.
 */
export function createBrowser(o: { readonly corsOrigins: readonly string[]; readonly isSecure: boolean }): Browser {
  const allowed = new Set(o.corsOrigins);
  const safety = Object.entries(safetyHeaders(o.isSecure));
  return {
    greet({ request, response }) {
      for (const [name, value] of safety) response.setHeader(name, value);
      if (allowed.size === 0) return;
      response.setHeader("vary", "origin");
      const { origin } = request.headers;
      if (origin === undefined || !allowed.has(origin)) return;
      response.setHeader("access-control-allow-origin", origin);
      response.setHeader("access-control-expose-headers", responseHeaders);
      // The page may read it: that it comes from elsewhere is what was allowed.
      response.setHeader("cross-origin-resource-policy", "cross-origin");
    },
    answerPreflight({ request, response, record }) {
      const { origin } = request.headers;
      const isPreflight = request.method === "OPTIONS" && "access-control-request-method" in request.headers;
      if (!isPreflight || origin === undefined || !allowed.has(origin)) return false;
      record.route = "preflight";
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

/** The headers that every answer has, over a secure connection or not. */
export function safetyHeaders(isSecure: boolean): Readonly<Record<string, string>> {
  return {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    // What is answered is somebody's own: no proxy and no browser keeps it. Pages for everybody say otherwise themselves.
    "cache-control": "no-store",
    ...(isSecure ? { "strict-transport-security": "max-age=31536000" } : {}),
  };
}
