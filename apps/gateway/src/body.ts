import type { IncomingMessage } from "node:http";
import { callErrors } from "@rialto/rpc";
import { type Refused, refused } from "./refused.ts";

/** The most that a request's body may hold, as it travels. The largest honest one, an order of 50 lines, has some 10 kB. */
export const bodyBytesMax = 1024 * 1024;

/** The body as it comes in, for what is answered while it is asked; refused as soon as it is known to be too large. */
export async function* limitedBody(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) throw bodyTooLarge();
  let bytes = 0;
  for await (const chunk of request) {
    // Node gives Buffers: no encoding was set on the request.
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > bodyBytesMax) throw bodyTooLarge();
    yield buffer;
  }
}

/** A body that was read, as text. */
export function textOfBody(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refused(callErrors.INVALID_REQUEST, { message: "The body is not valid UTF-8." });
  }
}

export function bodyTooLarge(): Refused {
  return refused(callErrors.INVALID_REQUEST, {
    message: `The body is larger than ${bodyBytesMax} bytes.`,
    httpStatus: 413,
    // What is left of the body is not read: the connection cannot carry another request.
    headers: { connection: "close" },
  });
}
