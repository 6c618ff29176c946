import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import * as http2 from "node:http2";
import type { Socket } from "node:net";
import { closeGraceMsMax, type HttpTimeouts, lingerMsMax } from "./limits.ts";

/** Serves HTTP/2 on connections that are dispatched to it. */
export interface Http2 {
  accept(socket: Socket): void;
  /** Sends GOAWAY to every client, and ends each connection after its last stream. */
  drain(): void;
}

/** How many streams a client may reset. A client above it gets GOAWAY, and loses the streams of its connection. */
export interface StreamResets {
  /** At once. */
  readonly burst: number;
  /** Over time. */
  readonly perSecond: number;
}

/**
 * Creates an HTTP/2 server that never listens. It resets the stream of a client that sends too slowly, and closes an
 * idle connection.
 */
export function serveHttp2(o: {
  readonly streamsMax: number;
  readonly headBytesMax: number;
  readonly streamResets: StreamResets;
  readonly timeouts: HttpTimeouts;
  readonly onRequest: RequestListener;
}): Http2 {
  const { timeouts } = o;
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer({
    maxSessionInvalidFrames: invalidFramesMax,
    maxSessionMemory: sessionMegabytesMax,
    maxHeaderListPairs: headerPairsMax,
    streamResetBurst: o.streamResets.burst,
    streamResetRate: o.streamResets.perSecond,
    settings: { maxConcurrentStreams: o.streamsMax, maxHeaderListSize: o.headBytesMax, enablePush: false },
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    closeWhenIdle(session, timeouts.idleMs);
  });
  // Node closes the connection of a client that violates the protocol. Nothing else is to be done.
  server.on("sessionError", () => undefined);
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), timeouts.readMs);
    const onRead = () => clearTimeout(timer);
    stream.once("end", onRead);
    stream.once("close", onRead);
    if (stream.endAfterHeaders) onRead();
  });
  const onRequest = (req: http2.Http2ServerRequest, res: http2.Http2ServerResponse) => {
    // The rest of a request whose response is complete is discarded, and the stream soon closed (RFC 9113, section
    // 8.1). The response reports that it is finished only when the client has ended too.
    req.stream.once("finish", () => {
      req.resume();
      if (!req.complete) closeAfterLinger(req.stream);
    });
    o.onRequest(asHttp1Request(req), asHttp1Response(res));
  };
  server.on("request", onRequest);
  // Node would answer any other expectation than 100-continue with 417 and no body.
  server.on("checkExpectation", onRequest);
  return {
    accept(socket) {
      socket.allowHalfOpen = false;
      server.emit("connection", socket);
    },
    drain() {
      for (const session of sessions) session.close();
    },
  };
}

/** Invalid frames after which a connection is closed. */
const invalidFramesMax = 100;
/** Memory that one connection may hold. */
const sessionMegabytesMax = 16;
/** Headers of one request, pseudo-headers included. */
const headerPairsMax = 100;

/**
 * Closes a stream whose response is complete and whose client still sends: it would use one of the connection's streams
 * for nothing.
 */
function closeAfterLinger(stream: http2.ServerHttp2Stream): void {
  const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_NO_ERROR), lingerMsMax);
  stream.once("close", () => clearTimeout(timer));
}

/** Closes a connection that has had no stream for `idleMs`, whatever other frames its client sends. */
function closeWhenIdle(session: http2.ServerHttp2Session, idleMs: number): void {
  let streams = 0;
  let timer: NodeJS.Timeout | undefined;
  const startTimer = () => {
    timer = setTimeout(() => {
      session.close();
      timer = setTimeout(() => session.destroy(), closeGraceMsMax);
    }, idleMs);
  };
  startTimer();
  session.on("stream", (stream) => {
    streams += 1;
    clearTimeout(timer);
    stream.once("close", () => {
      streams -= 1;
      if (streams === 0 && !session.destroyed) startTimer();
    });
  });
  session.once("close", () => clearTimeout(timer));
}

function asHttp1Request(req: http2.Http2ServerRequest): IncomingMessage {
  // Node's compatibility API: the object has what code for HTTP/1.1 uses, its type does not say so.
  return req as unknown as IncomingMessage;
}

/**
 * Adds members of HTTP/1.1's response that Node's compatibility API lacks, or that do not tell a complete response from
 * a canceled one.
 */
function asHttp1Response(res: http2.Http2ServerResponse): ServerResponse {
  const { stream } = res;
  Object.defineProperties(res, {
    destroyed: { get: () => stream.destroyed },
    writableFinished: { get: () => res.writableEnded && stream.destroyed && stream.rstCode === 0 },
    destroy: {
      value: () => {
        stream.close(stream.writableFinished ? http2.constants.NGHTTP2_NO_ERROR : http2.constants.NGHTTP2_CANCEL);
        // `close` alone waits until the client has read what was written before.
        stream.destroy();
      },
    },
  });
  return res as unknown as ServerResponse;
}
