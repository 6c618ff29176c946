import { createAsyncIterable, readAllBytes } from "@connectrpc/connect/protocol";
import { replayBufferBytesMax } from "../limits.ts";
import type { ByteRequest } from "../wire/http-message.ts";

/**
 * The body of a request, read to its end: undefined where there is none, or where many messages are asked, which go on as they come. Rejects with
 * what reading it throws, and where it is larger than what is kept of a request.
 */
export async function readBody(
  { body }: ByteRequest,
  o: { readonly takesStream?: boolean },
): Promise<Uint8Array | undefined> {
  return body === undefined || o.takesStream === true ? undefined : readWhole(body);
}

/** The request as it is sent: with the body that was read, or with its own where none was. May be made as often as the request is sent. */
export function withBody(request: ByteRequest, read: Uint8Array | undefined): ByteRequest {
  if (read === undefined) return request;
  const { body: _, ...head } = request;
  // A GET has no body, not even an empty one.
  return read.byteLength === 0 ? head : { ...head, body: createAsyncIterable([read]) };
}

/** All of a request or an answer, within the bound of what is kept of either. */
export function readWhole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return readAllBytes(body, replayBufferBytesMax);
}
