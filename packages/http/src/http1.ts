import * as http from "node:http";
import type { Socket } from "node:net";
import type { ClientErrors } from "./client-error.ts";
import { responsesOf } from "./http1-response.ts";
import type { HttpTimeouts } from "./limits.ts";
import { Http1Request } from "./request.ts";
import { TurnBatch } from "./turn-batch.ts";
import { type AnswersWhole, createWholeConnections } from "./whole/connections.ts";

/** Serves HTTP/1.1 on connections that are dispatched to it. */
export interface Http1 {
  accept(socket: Socket): void;
  /**
   * Makes every response the last of its connection, with `connection: close`, also one that is in progress and whose
   * head is not sent yet.
   */
  drain(): void;
  closeIdleConnections(): void;
  /** Closes connections that had no request yet, as far as Node's parser has not seen them. */
  closeUnusedConnections(): void;
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
  /** No response is, where it is not given. */
  readonly answersWhole?: AnswersWhole | undefined;
}): Http1 {
  const { timeouts, clientErrors, headBytesMax, answersWhole } = o;
  const batch = new TurnBatch();
  const server = http.createServer({
    IncomingMessage: Http1Request,
    ServerResponse: responsesOf(batch),
    keepAliveTimeout: timeouts.idleMs,
    headersTimeout: timeouts.headMs,
    requestTimeout: Math.max(timeouts.readMs, timeouts.headMs),
    connectionsCheckingInterval: Math.min(checkMs, timeouts.headMs),
    maxHeaderSize: o.headBytesMax,
    // Node's own response says nothing but 400.
    requireHostHeader: false,
  });
  const responses = createResponses(o.requestsMax);
  const onRequest: http.RequestListener = (req, res) => {
    if (!clientErrors.answerMissingHost(req, res) && responses.begin(req.socket, res)) o.onRequest(req, res);
  };
  server.on("request", onRequest);
  // Node would answer any other expectation than 100-continue with 417 and no body.
  server.on("checkExpectation", onRequest);
  server.on("clientError", clientErrors.answer);
  // Node starts a server's time-outs when it listens.
  server.emit("listening");
  const acceptByNode = (socket: Socket) => {
    responses.connect(socket);
    server.emit("connection", socket);
  };
  const ofWhole = { headBytesMax, timeouts, batch, onRequest: o.onRequest, handOver: acceptByNode };
  const whole = answersWhole === undefined ? undefined : createWholeConnections({ ...ofWhole, answersWhole });
  return {
    accept: whole?.accept ?? acceptByNode,
    drain() {
      whole?.drain();
      responses.drain();
    },
    closeIdleConnections() {
      whole?.closeIdle();
      server.closeIdleConnections();
    },
    closeUnusedConnections() {
      whole?.closeUnused();
    },
    close() {
      whole?.close();
      server.close();
    },
  };
}

/** How often connections are checked for a request that takes too long. */
const checkMs = 1_000;

/** The responses in progress of every connection. */
interface Responses {
  connect(socket: Socket): void;
  /**
   * Notes a response. Returns false, and closes the connection, where it has too many: a client may send requests
   * before the previous one is answered, thousands in one packet, and their responses wait for each other. HTTP/2
   * limits its streams.
   */
  begin(socket: Socket, res: http.ServerResponse): boolean;
  drain(): void;
}

/** Kept by connection, so that a request costs a look-up and one listener. */
function createResponses(max: number): Responses {
  const connections = new Map<Socket, http.ServerResponse[]>();
  let isDraining = false;
  const end = function (this: http.ServerResponse): void {
    const inProgress = connections.get(this.req.socket);
    // Nearly always it is the only one.
    if (inProgress?.at(-1) === this) inProgress.pop();
    else inProgress?.splice(inProgress.indexOf(this), 1);
  };
  return {
    connect(socket) {
      connections.set(socket, []);
      socket.once("close", () => connections.delete(socket));
    },
    begin(socket, res) {
      const inProgress = connections.get(socket);
      if (inProgress === undefined || inProgress.length >= max) {
        socket.destroy();
        return false;
      }
      // Node writes the header, and closes the connection after the response.
      if (isDraining) res.shouldKeepAlive = false;
      inProgress.push(res);
      res.on("close", end);
      return true;
    },
    drain() {
      isDraining = true;
      for (const inProgress of connections.values()) {
        for (const res of inProgress) if (!res.headersSent) res.shouldKeepAlive = false;
      }
    },
  };
}
