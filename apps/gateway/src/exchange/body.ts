import type { IncomingMessage } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { callErrors, requestSizeOf } from "@rialto/rpc";
import { type Refused, refused } from "../errors/refused.ts";
import { isWebText } from "./web-text.ts";

/** The most that a body to gRPC's own services may hold. */
const bodyBytesMax = 1024 * 1024;

/** Room for what a protocol puts around a message: the heads of its envelopes. */
const envelopeBytesMax = 64;

/** The most that a request's body may hold, as it travels: what its method takes, and a third more where that is in base64. */
export function bodyBytesMaxOf(method: DescMethod, contentType: string | undefined): number {
  const bytes = requestSizeOf(method).bytes + envelopeBytesMax;
  return isWebText(contentType) ? 4 * Math.ceil(bytes / 3) : bytes;
}

/** The body as it comes in, for what is answered while it is asked; refused as soon as it is known to be too large. */
export async function* limitedBody(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) throw bodyTooLarge(bodyBytesMax);
  let bytes = 0;
  for await (const chunk of request) {
    // Node gives Buffers: no encoding was set on the request.
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > bodyBytesMax) throw bodyTooLarge(bodyBytesMax);
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

export function bodyTooLarge(bytesMax: number): Refused {
  return refused(callErrors.INVALID_REQUEST, {
    message: `The body is larger than ${bytesMax} bytes.`,
    httpStatus: 413,
    // What is left of the body is not read: the connection cannot carry another request.
    headers: { connection: "close" },
  });
}
