import type { IncomingMessage, ServerResponse } from "node:http";
import * as http2 from "node:http2";
import type { Socket } from "node:net";
import { closeGraceMsMax, lingerMsMax } from "../limits.ts";
import type { PortTimes, RequestListener } from "./port.ts";

/** Serves HTTP/2 on connections that are handed to it. */
export interface Http2 {
  take(socket: Socket): void;
  /** Tells every client to take its next request elsewhere, and ends each connection after its last one. */
  close(): void;
}

/** What may go wrong on one connection before it is given up. */
const invalidFramesMax = 100;
/** Memory that one connection may hold, in megabytes. */
const sessionMegabytesMax = 16;

/** Makes an HTTP/2 server that never listens. Its answer to a slow client is a reset stream, to an idle one a closed connection. */
export function serveHttp2(o: {
  readonly streamsMax: number;
  readonly headBytesMax: number;
  /** Streams that a client may open and reset. */
  readonly resets: { readonly burst: number; readonly perSecond: number };
  readonly times: PortTimes;
  readonly onRequest: RequestListener;
}): Http2 {
  const { times } = o;
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer({
    maxSessionInvalidFrames: invalidFramesMax,
    maxSessionMemory: sessionMegabytesMax,
    maxHeaderListPairs: headerPairsMax,
    streamResetBurst: o.resets.burst,
    streamResetRate: o.resets.perSecond,
    settings: { maxConcurrentStreams: o.streamsMax, maxHeaderListSize: o.headBytesMax, enablePush: false },
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    closeWhenIdle(session, times.idleMs);
  });
  // A client that breaks the rules of HTTP/2 loses its connection, and that is all.
  server.on("sessionError", () => undefined);
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    const late = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), times.readMs);
    const read = () => clearTimeout(late);
    stream.once("end", read);
    stream.once("close", read);
    if (stream.endAfterHeaders) read();
  });
  const answer = (req: http2.Http2ServerRequest, res: http2.Http2ServerResponse) => {
    // Whoever is done with an answer does not read on: what comes after it is let go, and soon asked to end (RFC 9113, 8.1). The response itself
    // says that it is finished when its client has ended too.
    req.stream.once("finish", () => {
      req.resume();
      if (!req.complete) endSoon(req.stream);
    });
    o.onRequest(asHttp1(req), asHttp1Response(res));
  };
  server.on("request", answer);
  // As over HTTP/1.1: what else a client expects is no reason to refuse it.
  server.on("checkExpectation", answer);
  return {
    take(socket) {
      socket.allowHalfOpen = false;
      server.emit("connection", socket);
    },
    close() {
      for (const session of sessions) session.close();
    },
  };
}

/** Ends a stream that is answered and whose client goes on sending: it holds one of the connection's streams for nothing. */
function endSoon(stream: http2.ServerHttp2Stream): void {
  const late = setTimeout(() => stream.close(http2.constants.NGHTTP2_NO_ERROR), lingerMsMax);
  stream.once("close", () => clearTimeout(late));
}

/** Headers of one request at the most, pseudo-headers among them. */
const headerPairsMax = 100;

/** Closes a connection on which no call has been at work for a while, whatever else its client sends. */
function closeWhenIdle(session: http2.ServerHttp2Session, idleMs: number): void {
  let open = 0;
  let late: NodeJS.Timeout | undefined;
  const wait = () => {
    late = setTimeout(() => {
      session.close();
      late = setTimeout(() => session.destroy(), closeGraceMsMax);
    }, idleMs);
  };
  wait();
  session.on("stream", (stream) => {
    open += 1;
    clearTimeout(late);
    stream.once("close", () => {
      open -= 1;
      if (open === 0 && !session.destroyed) wait();
    });
  });
  session.once("close", () => clearTimeout(late));
}

function asHttp1(req: http2.Http2ServerRequest): IncomingMessage {
  // Node made it to be used by code for HTTP/1; only the types do not know.
  return req as unknown as IncomingMessage;
}

/** Names that code for HTTP/1 asks for, and Node's object for HTTP/2 leaves out or answers as if every broken answer were whole. */
function asHttp1Response(res: http2.Http2ServerResponse): ServerResponse {
  const { stream } = res;
  Object.defineProperties(res, {
    destroyed: { get: () => stream.destroyed },
    writableFinished: { get: () => res.writableEnded && stream.destroyed && stream.rstCode === 0 },
    destroy: {
      value: () => {
        stream.close(stream.writableFinished ? http2.constants.NGHTTP2_NO_ERROR : http2.constants.NGHTTP2_CANCEL);
        // Closing alone waits until the client has read what comes before.
        stream.destroy();
      },
    },
  });
  return res as unknown as ServerResponse;
}
