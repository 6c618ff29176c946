/**
 * Returns the headers that every response has, over TLS or not. A browser may not frame, sniff or execute what an API
 * returns, and pages of other origins may not read it; `cors.ts` lifts that for the origins that are configured.
 */
export function securityHeaders(isSecure: boolean): Readonly<Record<string, string>> {
  return {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    // Responses belong to one caller: no proxy and no browser stores them. Public pages override this.
    "cache-control": "no-store",
    ...(isSecure ? { "strict-transport-security": "max-age=31536000" } : {}),
  };
}
