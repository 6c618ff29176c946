import * as http from "node:http";
import * as https from "node:https";
import type { LookupFunction } from "node:net";
import { createNodeHttpClient } from "@connectrpc/connect-node";
import { type Bulkhead, createBulkhead } from "@rialto/async";
import { keepAliveMsMax } from "@rialto/http";
import { leavingMs, upstreamIdleSocketsMax } from "../limits.ts";
import { isStockPath } from "../stock-path.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { protocolOf, setTimeoutMs } from "../wire/wire-protocol.ts";
import { createHttp1Calls, type Http1Calls } from "./http1-calls.ts";
import { createHttp2Sessions } from "./http2-sessions.ts";
import { createStockHttp1Calls } from "./stock-http1-calls.ts";

/** One process of a service. */
export interface Replica {
  readonly url: string;
  /** For responses with one message. */
  readonly calls: CallChannel;
  /**
   * For responses with many messages, which last: on connections of their own, so that no number of streams delays a
   * call.
   */
  readonly streams: Channel;
  /**
   * The replica gave notice that it is about to stop, by `connection: close` in a response or by GOAWAY. Calls go to
   * others, where there are others. A notice counts for some seconds, as the replica may start again.
   */
  isLeaving(): boolean;
  /** Records such a notice. */
  reportLeaving(): void;
  close(): void;
}

/** Connections to a replica, with a bulkhead. */
export interface Channel {
  /**
   * Bounds the requests in flight. A slot is acquired before a request is sent, and released when its response is
   * complete.
   */
  readonly bulkhead: Bulkhead;
  /** The requests in flight, and those that wait for the bulkhead. Who sends a request counts it. */
  readonly load: { requests: number };
  /** Sends a request to the replica, with the timeout in the header of its protocol. */
  send(request: HttpRequest, timeoutMs: number): Promise<HttpResponse>;
  close(): void;
}

/** The connections for responses with one message. */
export interface CallChannel extends Channel {
  /** Sends a call over HTTP/1.1 whose body has arrived. */
  readonly sendWhole: Http1Calls["sendWhole"];
}

/** How many requests may be in flight to one replica. */
export interface ReplicaLimits {
  readonly callsMax: number;
  /** Calls that wait for others to end. A call above it fails at once, as the service is busy. */
  readonly callsWaitingMax: number;
  /** No stream waits for another to end: one above it fails at once. */
  readonly streamsMax: number;
}

/**
 * Creates the channels to one replica. None connects before its first request. `lookup` finds the address of the host
 * in the URL; without it the operating system does.
 */
export function createReplica(
  url: string,
  { callsMax, callsWaitingMax, streamsMax }: ReplicaLimits,
  lookup?: LookupFunction,
): Replica {
  let leavingUntil = 0;
  const reportLeaving = () => {
    leavingUntil = Date.now() + leavingMs;
  };
  const at = { url, lookup, onGoaway: reportLeaving };
  const http1 = isStockPath()
    ? createStockHttp1Calls(url, lookup)
    : createHttp1Calls(url, { connectionsMax: callsMax, lookup });
  const channel = createChannel(at, { max: callsMax, waitingMax: callsWaitingMax }, http1);
  const calls = { ...channel, sendWhole: http1.sendWhole };
  const streams = createChannel(at, { max: streamsMax, waitingMax: 0 }, createHttp1Streams(at));
  return {
    url,
    calls,
    streams,
    isLeaving: () => leavingUntil > 0 && Date.now() < leavingUntil,
    reportLeaving,
    close: () => {
      calls.close();
      streams.close();
    },
  };
}

type Http1Connections = Pick<Channel, "send" | "close">;

/** Where a replica is, and what its connections report. */
interface ReplicaAddress {
  readonly url: string;
  readonly lookup: LookupFunction | undefined;
  readonly onGoaway: () => void;
}

/** HTTP/2 for gRPC, which requires it, and HTTP/1.1 for other protocols, which are faster over it. */
function createChannel(
  at: ReplicaAddress,
  bounds: { max: number; waitingMax: number },
  http1: Http1Connections,
): Channel {
  const { url } = at;
  const http2 = createHttp2Sessions(at);
  return {
    bulkhead: createBulkhead(bounds),
    load: { requests: 0 },
    send: (request, timeoutMs) =>
      protocolOf(request.header) === "grpc"
        ? http2.send(addressed(request, url, timeoutMs))
        : http1.send(request, timeoutMs),
    close: () => {
      http1.close();
      http2.close();
    },
  };
}

/** Creates the connections of HTTP/1.1 whose responses are passed on as they arrive. */
function createHttp1Streams({ url, lookup }: ReplicaAddress): Http1Connections {
  const { Agent } = url.startsWith("https:") ? https : http;
  // No bound on its sockets: each request in flight has one, and one that is about to close must not delay a request.
  const idle = { keepAlive: true, maxFreeSockets: upstreamIdleSocketsMax, timeout: keepAliveMsMax };
  const agent = new Agent({ ...idle, ...(lookup === undefined ? {} : { lookup }) });
  const send = createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { agent } });
  return {
    send: (request, timeoutMs) => send(addressed(request, url, timeoutMs)),
    close: () => agent.destroy(),
  };
}

/** The request as the official clients want it: with the URL of the replica, and its own headers. */
function addressed(request: HttpRequest, replicaUrl: string, timeoutMs: number): HttpRequest {
  const header = new Headers(request.header);
  setTimeoutMs(header, timeoutMs);
  const { pathname, search } = new URL(request.url);
  return { ...request, url: new URL(`${pathname}${search}`, replicaUrl).href, header };
}
