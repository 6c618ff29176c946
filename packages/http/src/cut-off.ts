import type { Readable } from "node:stream";

/**
 * Whether the end of a body with this `content-length` is that of its connection, `bytes` of which came. A stream of
 * HTTP/2 that is lost ends like a whole one, and says that it was aborted; a message cut between two of its fields
 * would be read as another message.
 */
export function isCutOff(body: Readable, length: string | undefined, bytes: number): boolean {
  return ("aborted" in body && body.aborted === true) || (length !== undefined && bytes < Number(length));
}
