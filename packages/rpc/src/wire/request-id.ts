import { randomUUID } from "node:crypto";
import type { CallHeaders } from "./call-headers.ts";

export const requestIdHeader = "x-request-id";

/** Returns the caller's request id where it is well-formed, else a new one. */
export function requestIdOf(headers: CallHeaders): string {
  return requestIdFrom(headers.get(requestIdHeader));
}

/** Returns a given request id where it is well-formed, else a new one. */
export function requestIdFrom(given: string | null): string {
  return given !== null && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}
