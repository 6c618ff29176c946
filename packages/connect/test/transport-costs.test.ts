import type { ServerResponse } from "node:http";
import { Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { GetProductResponseSchema, ProductService } from "@rialto/contracts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createTransport } from "../src/index.ts";
import { listenRaw } from "./call-server.ts";

const message = toBinary(GetProductResponseSchema, create(GetProductResponseSchema, { product: { id: "1" } }));
const trailer = encodeEnvelope(0x80, Buffer.from("grpc-status: 0\r\n"));
const calls = 200;

/** The plainest response of each protocol. The server is not the library's, whose own headers would be counted. */
const writers = {
  connect: (response: ServerResponse) => response.writeHead(200, { "content-type": "application/proto" }).end(message),
  grpc: (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/grpc+proto", trailer: "grpc-status" });
    response.addTrailers({ "grpc-status": "0" });
    response.end(encodeEnvelope(0, message));
  },
  "grpc-web": (response: ServerResponse) =>
    response
      .writeHead(200, { "content-type": "application/grpc-web+proto" })
      .end(Buffer.concat([encodeEnvelope(0, message), trailer])),
};

const table = (["connect", "grpc", "grpc-web"] as const).flatMap((protocol) =>
  (["1.1", "2"] as const).map((httpVersion) => ({ protocol, httpVersion })),
);

describe.each(table)("a unary call in $protocol over HTTP/$httpVersion, with a timeout and a header", (wire) => {
  afterEach(() => void vi.restoreAllMocks());

  it("makes no web headers, no signal and no timer, and writes once", async () => {
    const server = await listenRaw(wire.httpVersion, (request, response) => {
      request.resume().on("end", () => writers[wire.protocol](response));
    });
    const transport = createTransport({ ...wire, baseUrl: server.baseUrl, connectionsMax: 1 });
    const client = createClient(ProductService, transport);
    const call = () => client.getProduct({ id: "1" }, { timeoutMs: 30_000, headers: { "question-text": "hello" } });
    await call();

    const headers = vi.spyOn(globalThis, "Headers");
    const controllers = vi.spyOn(globalThis, "AbortController");
    const timers = vi.spyOn(globalThis, "setTimeout");
    const writes = countWrites(Number(new URL(server.baseUrl).port));
    await Promise.all(Array.from({ length: calls }, call));

    expect(headers).not.toHaveBeenCalled();
    expect(controllers).not.toHaveBeenCalled();
    // A timer that all calls share may be set anew.
    expect(timers.mock.calls.length).toBeLessThan(calls / 10);
    // HTTP/2 writes below Node's sockets.
    expect(writes()).toBe(wire.httpVersion === "1.1" ? calls : 0);
    vi.restoreAllMocks();
    await transport.close();
    await server.close();
  });
});

/** Counts the writes to the sockets that are connected to a port. Returns what returns their number. */
function countWrites(port: number): () => number {
  const writes = vi.spyOn(Socket.prototype, "_write");
  const vectors = vi.spyOn(Socket.prototype, "_writev");
  const sockets = () => [...writes.mock.contexts, ...vectors.mock.contexts];
  return () => sockets().filter((socket) => socket instanceof Socket && socket.remotePort === port).length;
}
