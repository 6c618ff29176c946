import type { IncomingMessage } from "node:http";
import { CallError, callErrors, type RequestSize } from "@rialto/rpc";

/** Largest body of a request to gRPC's own services. */
const bodyBytesMax = 1024 * 1024;

/** What a protocol adds around a message: the heads of its envelopes. */
const envelopeBytesMax = 64;

/** Returns the largest body that a request of this size may have, in bytes: its message and the envelope around it. */
export function bodyBytesMaxOf(size: RequestSize): number {
  return size.bytes + envelopeBytesMax;
}

/** Yields the body as it arrives. Throws INVALID_REQUEST (413) as soon as the body is known to be too large. */
export async function* limitedBody(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) throw bodyTooLarge(bodyBytesMax);
  let bytes = 0;
  for await (const chunk of request) {
    // Node yields Buffers: no encoding was set on the request.
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > bodyBytesMax) throw bodyTooLarge(bodyBytesMax);
    yield buffer;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decodes a whole body. Throws INVALID_REQUEST if it is not UTF-8. */
export function textOfBody(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return "";
  try {
    return utf8.decode(bytes);
  } catch {
    throw new CallError(callErrors.INVALID_REQUEST, { message: "The body is not valid UTF-8." });
  }
}

/** Reads a body to its end. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Makes a body of bytes that are there. */
export async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

/** Makes the error for a body that is too large: INVALID_REQUEST (413). It closes an HTTP/1.1 connection. */
export function bodyTooLarge(bytesMax: number): CallError {
  return new CallError(callErrors.INVALID_REQUEST, {
    message: `The body is larger than ${bytesMax} bytes.`,
    // The rest of the body is not read, so the connection cannot carry another request.
    http: { status: 413, headers: { connection: "close" } },
  });
}
