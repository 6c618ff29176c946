import type { IncomingMessage, ServerResponse } from "node:http";

/** How long the rest of a refused request body is read and dropped. */
const lingerMsMax = 1_000;

/** How much of it is read. */
const lingerBytesMax = 4 * 1024 * 1024;

/**
 * Ends a response. If it closes an HTTP/1.1 connection whose client is still sending its body, the whole response is
 * sent at once, but the connection closes only after the body has ended, or after one second, or 4 MiB. A socket that
 * is closed over unread bytes is reset, and a reset discards a response that the client has not read yet (RFC 9112,
 * section 9.6). Needs a content-length header.
 */
export function endLingering(
  request: IncomingMessage,
  response: ServerResponse,
  body: string | Uint8Array | undefined,
): void {
  const isClosing = request.httpVersionMajor === 1 && response.getHeader("connection") === "close";
  if (!isClosing || request.complete) {
    response.end(body);
    return;
  }
  if (body === undefined) response.flushHeaders();
  else response.write(body);
  const end = () => {
    clearTimeout(late);
    request.off("data", count);
    response.end();
  };
  const late = setTimeout(end, lingerMsMax);
  let bytes = 0;
  const count = (chunk: Uint8Array) => {
    bytes += chunk.byteLength;
    if (bytes > lingerBytesMax) end();
  };
  request.on("data", count);
  request.once("end", end);
  request.once("close", end);
  request.resume();
}
