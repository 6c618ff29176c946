import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from "node:http";
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
 * Answers a stream of HTTP/2 itself, and returns whether it does. What a request would have done for it goes on being
 * done: its timeouts, and what its client sends after the answer.
 */
export type StreamListener = (stream: http2.ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean;

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
  /** Gets each stream first; those that it does not answer become requests. */
  readonly onStream?: StreamListener | undefined;
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
  server.on("stream", (stream, headers, _flags, rawHeaders) => {
    stream.on("error", () => undefined);
    if (!stream.endAfterHeaders) limitReadTime(stream, timeouts.readMs);
    if (isPlain(headers) && o.onStream?.(stream, headers) === true) {
      stream.once("finish", () => {
        stream.resume();
        if (!stream.readableEnded) closeAfterLinger(stream);
      });
      return;
    }
    answerAsHttp1(new http2.Http2ServerRequest(stream, headers, {}, rawHeaders), new http2.Http2ServerResponse(stream));
  });
  // What Node's own listener does, which it adds for those who listen to requests.
  const answerAsHttp1 = (req: http2.Http2ServerRequest, res: http2.Http2ServerResponse) => {
    if (req.method === "CONNECT") {
      res.writeHead(405).end();
      return;
    }
    if (req.headers.expect === "100-continue") res.writeContinue();
    // The rest of a request whose response is complete is discarded, and the stream soon closed (RFC 9113, section
    // 8.1). The response reports that it is finished only when the client has ended too.
    req.stream.once("finish", () => {
      req.resume();
      if (!req.complete) closeAfterLinger(req.stream);
    });
    o.onRequest(asHttp1Request(req), asHttp1Response(res));
  };
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

/** Resets the stream of a client that takes too long to send its request. */
function limitReadTime(stream: http2.ServerHttp2Stream, readMs: number): void {
  const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), readMs);
  const onRead = () => clearTimeout(timer);
  stream.once("end", onRead);
  stream.once("close", onRead);
}

/** Whether a stream asks for an answer and nothing else: not for a tunnel, and not whether it may send its body. */
function isPlain(headers: IncomingHttpHeaders): boolean {
  return headers[http2.constants.HTTP2_HEADER_METHOD] !== "CONNECT" && headers.expect === undefined;
}

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
