import type { ClientHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { HttpClient, HttpFields, HttpRequest, RequestInProgress, ResponseReceiver } from "@rialto/http";
import { createHttp2Connection, type Http2Connection, type Http2ConnectionOptions } from "./http2-connection.ts";
import { resetError } from "./transport-error.ts";

/** NGHTTP2_CANCEL: the caller wants no answer any more (RFC 9113, section 7). */
const resetCancel = 0x8;

/**
 * Creates a client for HTTP/2 to one origin, over one or several connections. Each request uses the one with the fewest
 * streams. None is established before its first request.
 */
export function createHttp2Client(o: Http2ConnectionOptions & { readonly connectionsMax: number }): HttpClient {
  const connections = Array.from({ length: o.connectionsMax }, () => createHttp2Connection(o));
  const leastUsed = () => connections.reduce((least, other) => (other.streams() < least.streams() ? other : least));
  return {
    send(request, receiver) {
      if (request.origin === o.origin) return exchange(leastUsed(), request, receiver);
      const message = `cannot make a request to ${request.origin}: the http2 session is connected to ${o.origin}`;
      receiver.onError(new ConnectError(message, Code.Internal));
      return { cancel: () => undefined };
    },
    close: async () => {
      for (const connection of connections) connection.destroy();
    },
  };
}

function exchange(
  connection: Http2Connection,
  { path, verb, fields, body }: HttpRequest,
  receiver: ResponseReceiver,
): RequestInProgress {
  let isOver = false;
  let stream: ClientHttp2Stream | undefined;
  let trailers: HttpFields = {};

  function fail(reason: unknown): void {
    if (isOver) return;
    isOver = true;
    if (stream?.closed === false) stream.close(resetCancel);
    receiver.onError(reason);
  }
  function receive(step: () => void): void {
    if (isOver) return;
    try {
      step();
    } catch (reason) {
      fail(reason);
    }
  }
  function end(): void {
    // The end of a stream that was reset is no end of its response: its close tells why.
    if (isOver || stream === undefined || stream.rstCode !== 0 || stream.aborted) return;
    isOver = true;
    receiver.onEnd(trailers);
  }

  try {
    stream = connection.request({ ...fields, ":method": verb, ":path": path }, { endStream: body === undefined });
  } catch (reason) {
    fail(reason);
  }
  if (stream === undefined) return { cancel: fail };
  stream.on("response", (head) => receive(() => receiver.onHead(head[":status"] ?? 0, head)));
  stream.on("data", (part: Uint8Array) => receive(() => receiver.onData(part)));
  stream.on("trailers", (fields: HttpFields) => {
    trailers = fields;
  });
  stream.on("end", end);
  // Node's error of a reset stream does not have its code.
  stream.on("error", (error) => fail(isReset(error) ? (resetError(stream.rstCode) ?? error) : error));
  stream.on("close", () => {
    if (!isOver) fail(resetError(stream.rstCode) ?? noAnswer(stream.rstCode));
  });
  if (body !== undefined) stream.end(body);
  return { cancel: fail };
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === "ERR_HTTP2_STREAM_ERROR";
}

/** The official transport waits for such a stream for ever. */
function noAnswer(rstCode: number): ConnectError {
  return new ConnectError(
    `the http/2 stream closed without a whole response, with error code ${rstCode}`,
    Code.Internal,
  );
}
