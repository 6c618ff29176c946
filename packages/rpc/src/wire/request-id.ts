import { v7 as uuid } from "uuid";

export const requestIdHeader = "x-request-id";

/** The caller's request id where it is well-formed, else a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(requestIdHeader);
  return given !== null && /^[\w.:-]{1,128}$/.test(given) ? given : uuid();
}
