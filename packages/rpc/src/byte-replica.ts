import * as http from "node:http";
import * as https from "node:https";
import { createNodeHttpClient, Http2SessionManager } from "@connectrpc/connect-node";
import type { ByteRequest, ByteResponse } from "./bytes.ts";
import { keepAliveMsMax, upstreamIdleSocketsMax, upstreamSocketsMax } from "./limits.ts";
import { protocolOf } from "./wire-protocol.ts";

/** One process that answers for a service. */
export interface Replica {
  readonly url: string;
  fetch(request: ByteRequest): Promise<ByteResponse>;
  close(): void;
}

/** How often a quiet HTTP/2 connection with calls at work is asked whether it lives, and how long it may take to answer. */
const pingMs = 10_000;
const pingAnswerMsMax = 5_000;

/**
 * The way to one replica: HTTP/2 for gRPC, which needs it, and HTTP/1.1 for the rest, which is faster with it. Neither connects
 * before the first call.
 */
export function createReplica(url: string): Replica {
  const { Agent } = url.startsWith("https:") ? https : http;
  const agent = new Agent({
    keepAlive: true,
    maxSockets: upstreamSocketsMax,
    maxFreeSockets: upstreamIdleSocketsMax,
    timeout: keepAliveMsMax,
  });
  const sessions = new Http2SessionManager(url, {
    pingIntervalMs: pingMs,
    pingTimeoutMs: pingAnswerMsMax,
    // A little less than servers wait, so that we are the one who gives up an idle connection.
    idleConnectionTimeoutMs: keepAliveMsMax - pingMs,
  });
  const overHttp1 = createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { agent } });
  const overHttp2 = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => sessions });
  return {
    url,
    fetch: (request) => (protocolOf(request.header) === "grpc" ? overHttp2 : overHttp1)(request),
    close: () => {
      agent.destroy();
      sessions.abort();
    },
  };
}
