import { createServer, type RequestListener } from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createUpstream, type Upstream } from "../src/index.ts";
import { bytesOf } from "./transports.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

/** How long each of them takes to answer. */
const workMs = 5;
const inFlight = 48;

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return `http://127.0.0.1:${port}`;
}

async function http1Replica(count: () => void): Promise<string> {
  const answer: RequestListener = (_req, res) => {
    count();
    setTimeout(() => res.writeHead(200, { "content-type": "application/json" }).end("{}"), workMs);
  };
  const server = createServer(answer);
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return await listening(server);
}

async function grpcReplica(count: () => void): Promise<string> {
  const server = http2.createServer();
  server.on("session", (session) => open.push(() => session.destroy()));
  server.on("stream", (stream) => {
    count();
    const head = { "content-type": "application/grpc+proto", "grpc-status": "0" };
    setTimeout(() => stream.respond(head, { endStream: true }), workMs);
  });
  open.push(() => void server.close());
  return await listening(server);
}

const call = (upstream: Upstream, type: string) =>
  upstream.fetch(
    {
      url: "http://upstream/rialto.order.v1.OrderService/GetOrder",
      method: "POST",
      header: new Headers({ "content-type": type, "connect-timeout-ms": "60000", "grpc-timeout": "60S" }),
      body: bytesOf("{}"),
    },
    { isSafe: false, isStream: false },
  );

describe("calls over connections that stay open", () => {
  it.each([
    ["HTTP/1.1", "application/json", http1Replica],
    ["HTTP/2", "application/grpc+proto", grpcReplica],
  ])("are spread evenly over three replicas by %s", async (_what, type, replica) => {
    const calls = 10_000;
    const seen = [0, 0, 0];
    const urls = await Promise.all(seen.map((_, n) => replica(() => (seen[n] = (seen[n] ?? 0) + 1))));
    const upstream = createUpstream({ kind: "remote", urls });
    open.push(upstream.close);
    let left = calls;
    const caller = async () => {
      while (left-- > 0) expect((await call(upstream, type)).status).toBe(200);
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    const even = calls / seen.length;
    for (const count of seen) expect(Math.abs(count - even), `${seen}`).toBeLessThan(even / 10);
  });
});
