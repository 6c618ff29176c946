import * as http from "node:http";
import * as https from "node:https";
import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnectTransport } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpcTransport } from "@connectrpc/connect/protocol-grpc";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import { createNodeHttpClient, Http2SessionManager } from "@connectrpc/connect-node";
import type { ResolvedOptions, TransportOptions } from "./transport-options.ts";

/** A transport whose connections can be closed. */
export interface ClosableTransport extends Transport {
  /** Closes the connections. Calls in progress fail. */
  close(): Promise<void>;
}

/** Creates the official transport of a protocol, over connections of its own. */
export function createOfficialTransport(o: ResolvedOptions): ClosableTransport {
  const { httpClient, close } = o.httpVersion === "2" ? http2Client(o) : http1Client(o);
  return { ...protocolTransports[o.protocol]({ ...o, httpClient }), close };
}

const protocolTransports: Readonly<Record<TransportOptions["protocol"], typeof createConnectTransport>> = {
  connect: createConnectTransport,
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
};

interface OfficialClient {
  readonly httpClient: UniversalClientFn;
  close(): Promise<void>;
}

function http1Client({ baseUrl, tls }: ResolvedOptions): OfficialClient {
  const { Agent } = baseUrl.startsWith("https:") ? https : http;
  const agent = new Agent({ keepAlive: true });
  return {
    httpClient: createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { ...tls, agent } }),
    close: async () => agent.destroy(),
  };
}

function http2Client(o: ResolvedOptions): OfficialClient {
  const manager = new Http2SessionManager(o.baseUrl, o, o.tls);
  return {
    httpClient: createNodeHttpClient({ httpVersion: "2", sessionProvider: () => manager }),
    close: async () => manager.abort(),
  };
}
