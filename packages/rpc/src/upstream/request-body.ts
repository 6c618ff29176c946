import { readAllBytes } from "@connectrpc/connect/protocol";
import { replayBufferBytesMax } from "../limits.ts";
import type { HttpRequest } from "../wire/http-message.ts";
import { WholeBody } from "./whole-body.ts";

/**
 * Reads the body of a request to its end. Returns undefined where there is none, or where the request is a stream,
 * which is not buffered. Rejects with the error of reading it, and where it is larger than the replay buffer.
 */
export async function readBody(
  { body }: HttpRequest,
  o: { readonly takesStream?: boolean },
): Promise<Uint8Array | undefined> {
  return body === undefined || o.takesStream === true ? undefined : readWhole(body);
}

/**
 * The request as it is sent: with the buffered body, or with its own where none was buffered. Call it once for each
 * attempt.
 */
export function withBody(request: HttpRequest, buffered: Uint8Array | undefined): HttpRequest {
  if (buffered === undefined) return request;
  const { body: _, ...head } = request;
  // A GET has no body, not even an empty one.
  return buffered.byteLength === 0 ? head : { ...head, body: new WholeBody(buffered) };
}

/** Reads a whole request or response, up to the size of the replay buffer. */
export async function readWhole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const isRead = body instanceof WholeBody && body.bytes.byteLength <= replayBufferBytesMax;
  return isRead ? body.bytes : readAllBytes(body, replayBufferBytesMax);
}
