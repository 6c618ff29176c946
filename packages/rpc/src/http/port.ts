import { once } from "node:events";
import * as http from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";
import {
  clientResets,
  closeGraceMsMax,
  keepAliveMsMax,
  peerResets,
  requestHeadBytesMax,
  requestHeadMsMax,
  requestReadMsMax,
  serverConnectionsMax,
  serviceHeadBytesMax,
  sharedConnectionsMax,
} from "../limits.ts";
import { createUnreadable, type Unreadable, type UnreadableOptions } from "./client-error.ts";
import { countConnections } from "./connection-limit.ts";
import { lastAnswers } from "./drain.ts";
import { serveHttp2 } from "./http2-connection.ts";
import { limitPipelined } from "./pipelining.ts";
import { sniff } from "./protocol-sniff.ts";

/** One request, whichever HTTP it came by: HTTP/2's answer to the names of HTTP/1's objects, as far as they are used here. */
export type RequestListener = (req: http.IncomingMessage, res: http.ServerResponse) => void;

/** Certificate chain and private key, in PEM. */
export interface PortTls {
  readonly cert: string;
  readonly key: string;
}

/** An open port. */
export interface Port {
  readonly port: number;
  /**
   * Goes on taking connections and requests, and asks who is here to take their next ones elsewhere: over HTTP/1.1 each answer is the last of its connection
   * and says so (RFC 9112, section 9.6), over HTTP/2 a connection is told to go away (RFC 9113, section 6.8) and ends after its last call.
   */
  drain(): void;
  /** Takes no new connection, lets the requests at work end for a while, then cuts what is left. */
  close(): Promise<void>;
}

/**
 * Opens a port that speaks HTTP/1.1 and HTTP/2. In cleartext they are told apart by the first bytes of a connection (h2c with prior
 * knowledge, as gRPC clients speak it); over TLS by ALPN. Port 0 takes any free one. Rejects with Node's error where it is taken.
 *
 * Neither inner server listens: connections are handed to them. Each stage has a deadline of its own, so that nobody holds a connection
 * by being slow: the TLS handshake, the first bytes, the head of a request, the whole of it, and the pause between two requests. How long an answer
 * may take to be taken is for who writes it to bound (`requireTaken`).
 */
export async function openPort(o: {
  readonly port: number;
  readonly host?: string;
  readonly tls?: PortTls | undefined;
  /** Calls that one connection may have at work at once: streams of HTTP/2, pipelined requests of HTTP/1.1. */
  readonly streamsMax: number;
  /** Connections that one address (of IPv6, one /64) may have at once; what comes above is closed unheard. */
  readonly connectionsMaxOf?: (address: string) => number;
  readonly times?: Partial<PortTimes>;
  /** Who calls carries the calls of many over one connection: a gateway or a service, and not a client of its own. */
  readonly isForPeers?: boolean;
  readonly unreadable?: UnreadableOptions;
  readonly onRequest: RequestListener;
}): Promise<Port> {
  const times: PortTimes = { headMs: requestHeadMsMax, readMs: requestReadMsMax, idleMs: keepAliveMsMax, ...o.times };
  const { streamsMax, onRequest, isForPeers = false } = o;
  const headBytesMax = isForPeers ? serviceHeadBytesMax : requestHeadBytesMax;
  const last = lastAnswers();
  const h1 = createHttp1(last.watch(limitPipelined(onRequest, streamsMax)), {
    times,
    headBytesMax,
    unreadable: createUnreadable(o.unreadable ?? {}),
  });
  const h2 = serveHttp2({ streamsMax, headBytesMax, resets: isForPeers ? peerResets : clientResets, times, onRequest });
  const sockets = new Set<net.Socket>();
  // Those that have not said yet which protocol they speak: no server inside knows them. Over TLS the handshake says it.
  const silent = new Set<net.Socket>();
  const hand = (socket: net.Socket, protocol: "h1" | "h2" | undefined) => {
    silent.delete(socket);
    if (protocol === "h2") h2.take(socket);
    else if (protocol === "h1") h1.emit("connection", socket);
    else socket.destroy();
  };
  const connections = countConnections(o.connectionsMaxOf ?? (() => Number.POSITIVE_INFINITY), sharedConnectionsMax);
  const hold = (socket: net.Socket) => {
    const giveBack = connections.take(socket.remoteAddress ?? "");
    if (giveBack === undefined) return void socket.destroy();
    socket.once("close", giveBack);
    sockets.add(socket);
    if (o.tls === undefined) silent.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
    });
    // A client that breaks off is no error of ours; the servers inside listen for what they need.
    socket.on("error", () => socket.destroy());
  };
  const server = o.tls === undefined ? createClear(hand, times) : createSecure(o.tls, hand, times);
  server.maxConnections = serverConnectionsMax;
  server.on("connection", hold);
  server.listen(o.port, o.host);
  await once(server, "listening");
  // A connection that cannot be accepted (no file descriptor is left for it) is its client's loss alone.
  server.on("error", () => undefined);
  let closed: Promise<void> | undefined;
  let isDraining = false;
  const drain = () => {
    isDraining = true;
    last.begin();
    h2.close();
  };
  const close = async () => {
    const ended = once(server, "close");
    // A client that is about to use its connection again is answered, and told by the answer; only what stays quiet is closed.
    const quietFrom = performance.now() + (isDraining ? 0 : quietMs);
    server.close();
    drain();
    for (const socket of silent) socket.destroy();
    // An HTTP/1 connection whose last request ends after this would stay open for its next one.
    const idle = setInterval(() => {
      if (performance.now() >= quietFrom) h1.closeIdleConnections();
    }, idleCheckMs);
    const late = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, closeGraceMsMax);
    await ended;
    clearInterval(idle);
    clearTimeout(late);
    h1.close();
  };
  return {
    port: portOf(server),
    drain,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** How long a client may take. */
export interface PortTimes {
  /** To say which protocol it speaks; to send the head of a request. */
  readonly headMs: number;
  /** To send a whole request. */
  readonly readMs: number;
  /** Between two requests. */
  readonly idleMs: number;
}

type Hand = (socket: net.Socket, protocol: "h1" | "h2" | undefined) => void;

function createClear(hand: Hand, times: PortTimes): net.Server {
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void sniff(socket, times.headMs).then((protocol) => hand(socket, protocol));
  });
}

function createSecure({ cert, key }: PortTls, hand: Hand, times: PortTimes): tls.Server {
  const options = { cert, key, ALPNProtocols: ["h2", "http/1.1"], minVersion: "TLSv1.2" } as const;
  const server = tls.createServer({ ...options, handshakeTimeout: times.headMs, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    hand(socket, socket.alpnProtocol === "h2" ? "h2" : "h1");
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

function createHttp1(
  onRequest: RequestListener,
  {
    times,
    headBytesMax,
    unreadable,
  }: { readonly times: PortTimes; readonly headBytesMax: number; readonly unreadable: Unreadable },
): http.Server {
  const server = http.createServer({
    keepAliveTimeout: times.idleMs,
    headersTimeout: times.headMs,
    requestTimeout: Math.max(times.readMs, times.headMs),
    connectionsCheckingInterval: Math.min(checkMs, times.headMs),
    maxHeaderSize: headBytesMax,
    // Node's own refusal says nothing but 400.
    requireHostHeader: false,
  });
  const answer: RequestListener = (req, res) => {
    if (!unreadable.answerWithoutHost(req, res)) onRequest(req, res);
  };
  server.on("request", answer);
  // What else a client expects is no reason to refuse it, which Node would do with 417 and no word.
  server.on("checkExpectation", answer);
  server.on("clientError", unreadable.answerError);
  // The time-outs of a server that does not listen do not run until it is told that it does.
  server.emit("listening");
  return server;
}

/** How long a connection that is not used stays open when its port closes at once. */
const quietMs = 250;
const idleCheckMs = 20;

/** How often HTTP/1 connections are looked at for one that takes too long. */
const checkMs = 1_000;

function portOf(server: net.Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
