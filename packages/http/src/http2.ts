import { writeSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from "node:http";
import * as http2 from "node:http2";
import type { Socket } from "node:net";
import { closeGraceMsMax, type HttpTimeouts, lingerMsMax } from "./limits.ts";

/** Serves HTTP/2 on connections that are dispatched to it. */
export interface Http2 {
  accept(socket: Socket): void;
  /**
   * Tells every client to open no more streams on its connection, one that connects later after its first stream.
   * Streams that are on their way, or opened all the same, are answered.
   */
  drain(): void;
  /** Takes no more streams, and ends each connection after its last one. */
  close(): void;
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
  const sessions = new Map<http2.ServerHttp2Session, Socket>();
  let isDraining = false;
  /** The connection that is being accepted: Node hides it behind its session. */
  let accepted: Socket | undefined;
  const server = http2.createServer({
    maxSessionInvalidFrames: invalidFramesMax,
    maxSessionMemory: sessionMegabytesMax,
    maxHeaderListPairs: headerPairsMax,
    streamResetBurst: o.streamResets.burst,
    streamResetRate: o.streamResets.perSecond,
    settings: { maxConcurrentStreams: o.streamsMax, maxHeaderListSize: o.headBytesMax, enablePush: false },
  });
  server.on("session", (session) => {
    const socket = accepted;
    if (socket === undefined) return void session.destroy();
    sessions.set(session, socket);
    session.once("close", () => sessions.delete(session));
    if (isDraining) session.once("stream", () => announceEnd(session, socket));
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
      accepted = socket;
      // Node makes the session of the connection in this call.
      server.emit("connection", socket);
      accepted = undefined;
    },
    drain() {
      if (isDraining) return;
      isDraining = true;
      for (const [session, socket] of sessions) announceEnd(session, socket);
    },
    close() {
      for (const session of sessions.keys()) session.close();
    },
  };
}

/**
 * A frame of GOAWAY without an error whose last stream is the largest possible: its receiver opens no more streams, and
 * every stream that it opened before is answered (RFC 9113, section 6.8). Node's own GOAWAY refuses those that are on
 * their way, and the clients that retry nothing but connecting would lose them.
 */
const shutdownNotice = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** Tells a client to open its next streams elsewhere. */
function announceEnd(session: http2.ServerHttp2Session, socket: Socket): void {
  if (session.destroyed || session.closed) return;
  // Over TLS the frame would have to be encrypted: there the streams that are on their way are refused as not
  // processed.
  if (session.encrypted || !writeNow(socket, shutdownNotice)) session.close();
}

/**
 * Writes a frame to a connection past Node's session. Node writes whole frames, so one more may stand between them
 * where none is waiting. Returns false, and writes nothing, where it would have to wait: by the socket itself, Node
 * would take the end of such a write for one of the session's, and end the process.
 */
function writeNow(socket: Socket, frame: Buffer): boolean {
  // Node's types do not have the handle. Without a file descriptor, as on Windows, nothing is written.
  const { _handle: handle } = socket as unknown as {
    readonly _handle?: { readonly fd?: number; writeQueueSize?: number };
  };
  if (handle?.fd === undefined || handle.fd < 0 || handle.writeQueueSize !== 0) return false;
  try {
    // The client reads so slowly that half a frame filled its connection.
    if (writeSync(handle.fd, frame) < frame.byteLength) socket.destroy();
    return true;
  } catch {
    return false;
  }
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
