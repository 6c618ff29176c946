import * as http from "node:http";
import type { Socket } from "node:net";
import type { ClientErrors } from "./client-error.ts";
import type { HttpTimeouts } from "./limits.ts";

/** Serves HTTP/1.1 on connections that are dispatched to it. */
export interface Http1 {
  accept(socket: Socket): void;
  /**
   * Makes every response the last of its connection, with `connection: close`, also one that is in progress and whose
   * head is not sent yet.
   */
  drain(): void;
  closeIdleConnections(): void;
  close(): void;
}

/** Creates an HTTP/1.1 server that never listens. */
export function serveHttp1(o: {
  /** Requests that one connection may have in progress. */
  readonly requestsMax: number;
  readonly headBytesMax: number;
  readonly timeouts: HttpTimeouts;
  readonly clientErrors: ClientErrors;
  readonly onRequest: http.RequestListener;
}): Http1 {
  const { timeouts, clientErrors } = o;
  const server = http.createServer({
    keepAliveTimeout: timeouts.idleMs,
    headersTimeout: timeouts.headMs,
    requestTimeout: Math.max(timeouts.readMs, timeouts.headMs),
    connectionsCheckingInterval: Math.min(checkMs, timeouts.headMs),
    maxHeaderSize: o.headBytesMax,
    // Node's own response says nothing but 400.
    requireHostHeader: false,
  });
  const drain = createDrain();
  const serve = drain.track(limitPipelining(o.onRequest, o.requestsMax));
  const onRequest: http.RequestListener = (req, res) => {
    if (!clientErrors.answerMissingHost(req, res)) serve(req, res);
  };
  server.on("request", onRequest);
  // Node would answer any other expectation than 100-continue with 417 and no body.
  server.on("checkExpectation", onRequest);
  server.on("clientError", clientErrors.answer);
  // Node starts a server's time-outs when it listens.
  server.emit("listening");
  return {
    accept: (socket) => void server.emit("connection", socket),
    drain: drain.begin,
    closeIdleConnections: () => server.closeIdleConnections(),
    close: () => void server.close(),
  };
}

/** How often connections are checked for a request that takes too long. */
const checkMs = 1_000;

function createDrain(): { track(onRequest: http.RequestListener): http.RequestListener; begin(): void } {
  const responses = new Set<http.ServerResponse>();
  let hasBegun = false;
  return {
    track: (onRequest) => (req, res) => {
      // Node writes the header, and closes the connection after the response.
      if (hasBegun) res.shouldKeepAlive = false;
      responses.add(res);
      res.once("close", () => responses.delete(res));
      onRequest(req, res);
    },
    begin() {
      hasBegun = true;
      for (const res of responses) if (!res.headersSent) res.shouldKeepAlive = false;
    },
  };
}

/**
 * Limits the requests that one connection has in progress, as HTTP/2 limits its streams. A client may send requests
 * before the previous one is answered, thousands in one packet, and their responses wait for each other. A connection
 * that has more is closed.
 */
function limitPipelining(onRequest: http.RequestListener, max: number): http.RequestListener {
  const inProgress = new WeakMap<Socket, number>();
  return (req, res) => {
    const { socket } = req;
    const others = inProgress.get(socket) ?? 0;
    if (others >= max) return void socket.destroy();
    inProgress.set(socket, others + 1);
    res.once("close", () => inProgress.set(socket, (inProgress.get(socket) ?? 1) - 1));
    onRequest(req, res);
  };
}
