import * as http from "node:http";
import * as https from "node:https";
import { createNodeHttpClient } from "@connectrpc/connect-node";
import { type Bulkhead, createBulkhead } from "@rialto/async";
import { keepAliveMsMax } from "@rialto/http";
import { upstreamIdleSocketsMax } from "../limits.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { protocolOf } from "../wire/wire-protocol.ts";
import { createHttp2Sessions } from "./http2-sessions.ts";

/** One process of a service. */
export interface Replica {
  readonly url: string;
  /** For responses with one message. */
  readonly calls: Channel;
  /**
   * For responses with many messages, which last: on connections of their own, so that no number of streams delays a
   * call.
   */
  readonly streams: Channel;
  close(): void;
}

/** Connections to a replica, with a bulkhead. */
export interface Channel {
  /**
   * Bounds the requests in flight. A slot is acquired before a request is sent, and released when its response is
   * complete.
   */
  readonly bulkhead: Bulkhead;
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/** How many requests may be in flight to one replica. */
export interface ReplicaLimits {
  readonly callsMax: number;
  /** Calls that wait for others to end. A call above it fails at once, as the service is busy. */
  readonly callsWaitingMax: number;
  /** No stream waits for another to end: one above it fails at once. */
  readonly streamsMax: number;
}

/** Creates the channels to one replica. None connects before its first request. */
export function createReplica(url: string, { callsMax, callsWaitingMax, streamsMax }: ReplicaLimits): Replica {
  const calls = createChannel(url, callsMax, callsWaitingMax);
  const streams = createChannel(url, streamsMax, 0);
  return {
    url,
    calls,
    streams,
    close: () => {
      calls.close();
      streams.close();
    },
  };
}

/** HTTP/2 for gRPC, which requires it, and HTTP/1.1 for other protocols, which are faster over it. */
function createChannel(url: string, max: number, waitingMax: number): Channel {
  const { Agent } = url.startsWith("https:") ? https : http;
  // No bound on its sockets: each request in flight has one, and one that is about to close must not delay a request.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: upstreamIdleSocketsMax, timeout: keepAliveMsMax });
  const http2 = createHttp2Sessions(url);
  const http1 = createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { agent } });
  return {
    bulkhead: createBulkhead({ max, waitingMax }),
    send: (request) => (protocolOf(request.header) === "grpc" ? http2.send(request) : http1(request)),
    close: () => {
      agent.destroy();
      http2.close();
    },
  };
}
