import type { IncomingMessage, ServerResponse } from "node:http";

/** How long a client may go on sending a body that is already refused. It is read and dropped. */
const lingerMsMax = 1_000;

/** How much of it. */
const lingerBytesMax = 4 * 1024 * 1024;

/**
 * Ends an answer. Where it closes an HTTP/1.1 connection whose client still sends its body, the whole answer goes out
 * at once, but the connection closes only after the body has ended, or after a second, or 4 MiB: a socket that is
 * closed over unread bytes is reset, and a reset takes back an answer that the client has not read yet (RFC 9112,
 * section 9.6). Needs a content-length among the headers.
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
