import * as http from "node:http";
import * as https from "node:https";
import { createNodeHttpClient } from "@connectrpc/connect-node";
import { type Bulkhead, createBulkhead } from "@rialto/async";
import { keepAliveMsMax } from "@rialto/http";
import { upstreamIdleSocketsMax } from "../limits.ts";
import type { ByteRequest, ByteResponse } from "../wire/http-message.ts";
import { protocolOf } from "../wire/wire-protocol.ts";
import { createHttp2Sessions } from "./http2-sessions.ts";

/** One process that answers for a service. */
export interface Replica {
  readonly url: string;
  /** For what is answered with one message. */
  readonly calls: Way;
  /** For what is answered with many, which lasts: on connections of its own, so that no number of streams keeps a call waiting. */
  readonly streams: Way;
  close(): void;
}

/** A way to a replica. */
export interface Way {
  /** Bounds the requests in flight. A slot is acquired before a request is sent, and released when its response is complete. */
  readonly bulkhead: Bulkhead;
  fetch(request: ByteRequest): Promise<ByteResponse>;
  close(): void;
}

/** How many requests may be on the ways to one replica. */
export interface ReplicaRoom {
  readonly callsMax: number;
  /** Calls that wait for others to end; those above it are told at once that the service is busy. */
  readonly callsWaitingMax: number;
  /** Nobody waits for the end of a stream: those above it are told at once. */
  readonly streamsMax: number;
}

/** The ways to one replica. None connects before its first request. */
export function createReplica(url: string, { callsMax, callsWaitingMax, streamsMax }: ReplicaRoom): Replica {
  const calls = createWay(url, callsMax, callsWaitingMax);
  const streams = createWay(url, streamsMax, 0);
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

/** HTTP/2 for gRPC, which needs it, and HTTP/1.1 for the rest, which is faster with it. */
function createWay(url: string, max: number, waitingMax: number): Way {
  const { Agent } = url.startsWith("https:") ? https : http;
  // No bound on its sockets: who is on the way has one each, and a socket that is about to close holds nobody up.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: upstreamIdleSocketsMax, timeout: keepAliveMsMax });
  const sessions = createHttp2Sessions(url);
  const overHttp1 = createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { agent } });
  return {
    bulkhead: createBulkhead({ max, waitingMax }),
    fetch: (request) => (protocolOf(request.header) === "grpc" ? sessions.fetch(request) : overHttp1(request)),
    close: () => {
      agent.destroy();
      sessions.close();
    },
  };
}
