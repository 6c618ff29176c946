import type { IncomingMessage } from "node:http";

/**
 * Returns the whole body of a request over HTTP/1.1 that has arrived already: with its head, as most do, or because
 * there is none. It costs no timer and no listener. Undefined where the body has to be received.
 */
export function arrivedBody(request: IncomingMessage): Uint8Array | undefined {
  if (request.httpVersionMajor !== 1 || request.readableFlowing !== null || !isHere(request)) return undefined;
  // Node's request yields Buffers: no encoding was set on it.
  const bytes: Buffer | null = request.read();
  // The parser may still have to say that this was all.
  if (!request.complete) request.resume();
  return bytes ?? new Uint8Array();
}

/** Between the last byte and the end of a request, promises may settle: its length says as much as its end. */
function isHere({ complete, headers, readableLength }: IncomingMessage): boolean {
  return complete || readableLength === Number(headers["content-length"] ?? Number.NaN);
}
