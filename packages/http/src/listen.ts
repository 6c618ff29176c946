import { once } from "node:events";
import type { RequestListener } from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";
import { createClientErrors, type RenderClientError } from "./client-error.ts";
import { createConnectionLimit } from "./connection-limit.ts";
import { serveHttp1 } from "./http1.ts";
import { type StreamListener, type StreamResets, serveHttp2 } from "./http2.ts";
import {
  clientStreamResets,
  closeGraceMsMax,
  type HttpTimeouts,
  keepAliveMsMax,
  requestHeadBytesMax,
  requestHeadMsMax,
  requestReadMsMax,
  serverConnectionsMax,
  sharedConnectionsMax,
} from "./limits.ts";
import { type HttpVersion, sniff } from "./protocol-sniff.ts";
import type { AnswersWhole } from "./whole/connections.ts";

/** Certificate chain and private key, in PEM. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
}

/** A port that is listened to. */
export interface HttpListener {
  readonly port: number;
  /**
   * Goes on accepting connections and requests, and asks clients to send their next ones elsewhere: over HTTP/1.1 each
   * response is the last of its connection and says so (RFC 9112, section 9.6); over HTTP/2 each connection gets GOAWAY
   * (RFC 9113, section 6.8), in cleartext the notice that refuses none of the requests that are on their way.
   */
  drain(): void;
  /**
   * Accepts no new connection, waits for the requests in progress for `graceMs`, then closes every connection that is
   * left. `closeGraceMsMax` where it is not given. Further calls return the same promise.
   */
  close(o?: { readonly graceMs?: number }): Promise<void>;
}

export interface ListenOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly host?: string;
  /** Cleartext where it is not given. */
  readonly tls?: TlsCredentials | undefined;
  /** Requests that one connection may have in progress: streams of HTTP/2, pipelined requests of HTTP/1.1. */
  readonly streamsMax: number;
  /**
   * Connections that one address (of IPv6, one /64) may have at once. A connection above it is closed before it is
   * read.
   */
  readonly connectionsMaxOf?: (address: string) => number;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** All headers of one request together. */
  readonly headBytesMax?: number;
  readonly streamResets?: StreamResets;
  /** The response to a request that cannot be read; its message as plain text where it is not given. */
  readonly renderClientError?: RenderClientError;
  /**
   * Serves a request of either version. An HTTP/2 request comes as Node's HTTP/1.1 objects, as far as they are used
   * here.
   */
  readonly onRequest: RequestListener;
  /**
   * Gets each stream of HTTP/2 before it becomes a request, and may answer it itself: the objects of a request cost
   * about as much as a small answer. All bounds of the port hold for it too.
   */
  readonly onStream?: StreamListener;
  /**
   * Says which requests get a response that is sent when its body has ended. Over HTTP/1.1 those that come in one piece
   * are read and answered without Node's parser and its objects, which cost more than that. The response that they get
   * sends nothing before its end.
   */
  readonly answersWhole?: AnswersWhole;
}

/**
 * Listens to a port that speaks HTTP/1.1 and HTTP/2. In cleartext the first bytes of a connection tell them apart (h2c
 * with prior knowledge, as gRPC clients speak it); over TLS it is ALPN. Rejects with Node's error where the port is in
 * use.
 *
 * Neither inner server listens: connections are dispatched to them. Each stage has its own timeout, so that no client
 * holds a connection by being slow: the TLS handshake, the first bytes, the head of a request, the whole request, and
 * the pause between two requests. The write timeout is up to the request listener (`limitWriteTime`).
 */
export async function listenHttp(o: ListenOptions): Promise<HttpListener> {
  const { streamsMax, onRequest, headBytesMax = requestHeadBytesMax, streamResets = clientStreamResets } = o;
  const timeouts = { headMs: requestHeadMsMax, readMs: requestReadMsMax, idleMs: keepAliveMsMax, ...o.timeouts };
  const clientErrors = createClientErrors(o.renderClientError);
  const ofHttp1 = { requestsMax: streamsMax, headBytesMax, timeouts, clientErrors, onRequest };
  const h1 = serveHttp1({ ...ofHttp1, answersWhole: o.answersWhole });
  const h2 = serveHttp2({ streamsMax, headBytesMax, streamResets, timeouts, onRequest, onStream: o.onStream });
  const sockets = new Set<net.Socket>();
  // Connections whose protocol is not known yet: no inner server has them. Over TLS the handshake tells it.
  const undecided = new Set<net.Socket>();
  const dispatch: Dispatch = (socket, protocol) => {
    undecided.delete(socket);
    if (protocol === "h2") h2.accept(socket);
    else if (protocol === "h1") h1.accept(socket);
    else socket.destroy();
  };
  const limit = createConnectionLimit(o.connectionsMaxOf ?? (() => Number.POSITIVE_INFINITY), sharedConnectionsMax);
  const track = (socket: net.Socket) => {
    const release = limit.acquire(socket.remoteAddress ?? "");
    if (release === undefined) return void socket.destroy();
    socket.once("close", release);
    sockets.add(socket);
    if (o.tls === undefined) undecided.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      undecided.delete(socket);
    });
    // A client that aborts its connection is no error here. The inner servers have listeners of their own.
    socket.on("error", () => socket.destroy());
  };
  const server = o.tls === undefined ? createClear(dispatch, timeouts) : createSecure(o.tls, dispatch, timeouts);
  server.maxConnections = serverConnectionsMax;
  server.on("connection", track);
  server.listen(o.port, o.host);
  await once(server, "listening");
  // A connection that cannot be accepted (no file descriptor is left) must not end the process.
  server.on("error", () => undefined);
  let closed: Promise<void> | undefined;
  let drainedAt: number | undefined;
  const drain = () => {
    drainedAt ??= performance.now();
    h1.drain();
    h2.drain();
  };
  const close = async (graceMs: number) => {
    const ended = once(server, "close");
    drain();
    await allAccepted(server);
    server.close();
    const closedAt = performance.now();
    // A client that is about to send its next request still gets a response, with `connection: close`. Only then are
    // idle connections closed.
    const idleFrom = (drainedAt ?? closedAt) + closeIdleAfterMs;
    const h2Timer = setTimeout(h2.close, Math.max(0, idleFrom - closedAt));
    // Repeated: an HTTP/1.1 connection that becomes idle later would stay open for its next request.
    const idleTimer = setInterval(() => {
      const now = performance.now();
      if (now >= idleFrom) h1.closeIdleConnections();
      if (now < closedAt + closeIdleAfterMs) return;
      h1.closeUnusedConnections();
      for (const socket of undecided) socket.destroy();
    }, idleCheckMs);
    const graceTimer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    await ended;
    clearTimeout(h2Timer);
    clearInterval(idleTimer);
    clearTimeout(graceTimer);
    h1.close();
  };
  return {
    port: portOf(server),
    drain,
    close: ({ graceMs = closeGraceMsMax } = {}) => {
      closed ??= close(graceMs);
      return closed;
    },
  };
}

/** How long an idle connection stays open after its port began to drain, or was closed without that. */
const closeIdleAfterMs = 250;
const idleCheckMs = 20;

/** How long a port that closes goes on accepting while there is a connection to accept in each turn. */
const acceptMsMax = 250;

/**
 * Resolves in a turn of the event loop in which no connection was left to be accepted. One that its client established,
 * and this process did not accept, is reset where the port closes, and with it the request that its client has sent.
 */
async function allAccepted(server: net.Server): Promise<void> {
  const until = performance.now() + acceptMsMax;
  let accepted = 0;
  let before = -1;
  const count = () => {
    accepted += 1;
  };
  server.on("connection", count);
  // Node accepts one connection in a turn.
  while (accepted !== before && performance.now() < until) {
    before = accepted;
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.off("connection", count);
}

/** Passes a connection to the server of its protocol; closes it where the protocol is undefined. */
type Dispatch = (socket: net.Socket, protocol: HttpVersion | undefined) => void;

function createClear(dispatch: Dispatch, timeouts: HttpTimeouts): net.Server {
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void sniff(socket, timeouts.headMs).then((protocol) => dispatch(socket, protocol));
  });
}

function createSecure({ cert, key }: TlsCredentials, dispatch: Dispatch, timeouts: HttpTimeouts): tls.Server {
  const options = { cert, key, ALPNProtocols: ["h2", "http/1.1"], minVersion: "TLSv1.2" } as const;
  const server = tls.createServer({ ...options, handshakeTimeout: timeouts.headMs, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    dispatch(socket, socket.alpnProtocol === "h2" ? "h2" : "h1");
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

function portOf(server: net.Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
