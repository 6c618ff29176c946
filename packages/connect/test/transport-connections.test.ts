import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ProductService } from "@rialto/contracts";
import { listenHttp } from "@rialto/http";
import { afterEach, describe, expect, it } from "vitest";
import { createConnectHandler, createTransport, type TransportOptions } from "../src/index.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const onRequest = connectNodeAdapter({
  routes: (router) => router.rpc(ProductService.method.getProduct, ({ id }) => ({ product: { id } })),
});

function products(o: TransportOptions) {
  const transport = createTransport(o);
  cleanups.push(() => transport.close());
  return createClient(ProductService, transport);
}

async function listen(server: Server | Http2Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port; // A TCP server has an address of this kind.
}

describe("connections of HTTP/1.1", () => {
  it("are kept for the next calls", async () => {
    const server = createServer(onRequest);
    let connections = 0;
    server.on("connection", () => (connections += 1));
    const port = await listen(server);
    const client = products({ protocol: "connect", httpVersion: "1.1", baseUrl: `http://127.0.0.1:${port}` });
    for (let id = 0; id < 20; id += 1) await client.getProduct({ id: `${id}` });
    expect(connections).toBe(1);
  });

  it("are no more than the transport may have, and calls above that wait", async () => {
    const server = createServer(onRequest);
    let connections = 0;
    server.on("connection", () => (connections += 1));
    const port = await listen(server);
    const baseUrl = `http://127.0.0.1:${port}`;
    const client = products({ protocol: "connect", httpVersion: "1.1", baseUrl, connectionsMax: 2 });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, id) => client.getProduct({ id: `${id}` })));
    expect(answers).toHaveLength(20);
    expect(connections).toBe(2);
  });

  it("are not waited for after the deadline or the signal", async () => {
    const port = await listen(createServer(() => undefined));
    const baseUrl = `http://127.0.0.1:${port}`;
    const client = products({ protocol: "connect", httpVersion: "1.1", baseUrl, connectionsMax: 1 });
    const first = new AbortController();
    const second = new AbortController();
    const holding = codeOf(client.getProduct({ id: "1" }, { signal: first.signal }));
    const late = codeOf(client.getProduct({ id: "2" }, { timeoutMs: 30 }));
    const canceled = codeOf(client.getProduct({ id: "3" }, { signal: second.signal }));
    second.abort();
    expect(await late).toBe(Code.DeadlineExceeded);
    expect(await canceled).toBe(Code.Canceled);
    first.abort();
    expect(await holding).toBe(Code.Canceled);
  });
});

describe("connections of HTTP/2", () => {
  async function serve(port = 0) {
    const sessions: ServerHttp2Session[] = [];
    const server = createHttp2Server(onRequest);
    server.on("session", (session) => sessions.push(session));
    return { port: await listen(server, port), sessions, server };
  }

  it("are shared by all calls", async () => {
    const { port, sessions } = await serve();
    const client = products({ protocol: "grpc", httpVersion: "2", baseUrl: `http://127.0.0.1:${port}` });
    await Promise.all(Array.from({ length: 20 }, (_, id) => client.getProduct({ id: `${id}` })));
    expect(sessions).toHaveLength(1);
  });

  it("are as many as the transport has, each with its part of the calls", async () => {
    const { port, sessions } = await serve();
    const baseUrl = `http://127.0.0.1:${port}`;
    const client = products({ protocol: "grpc", httpVersion: "2", baseUrl, connectionsMax: 3 });
    await Promise.all(Array.from({ length: 20 }, (_, id) => client.getProduct({ id: `${id}` })));
    expect(sessions).toHaveLength(3);
  });

  it.each([
    { how: "closes it after its streams", close: (session: ServerHttp2Session) => session.close() },
    { how: "says to go away", close: (session: ServerHttp2Session) => session.goaway(0) },
    { how: "destroys it", close: (session: ServerHttp2Session) => session.destroy() },
  ])("are replaced where the server $how", async ({ close }) => {
    const { port, sessions } = await serve();
    const client = products({ protocol: "grpc", httpVersion: "2", baseUrl: `http://127.0.0.1:${port}` });
    await client.getProduct({ id: "1" });
    for (const session of sessions) close(session);
    await expect.poll(() => codeOf(client.getProduct({ id: "2" }))).toBe("success");
    expect(sessions).toHaveLength(2);
  });

  it("are tried again after a server that could not be reached", async () => {
    const first = await serve();
    const client = products({ protocol: "grpc", httpVersion: "2", baseUrl: `http://127.0.0.1:${first.port}` });
    await new Promise((resolve) => first.server.close(resolve));
    expect(await codeOf(client.getProduct({ id: "1" }))).toBe(Code.Unavailable);
    await serve(first.port);
    expect((await client.getProduct({ id: "2" })).product?.id).toBe("2");
  });

  it("end their calls when a ping is not answered", async () => {
    const { port } = await serve();
    const proxy = await silentProxy(port);
    const baseUrl = `http://127.0.0.1:${proxy.port}`;
    const options = { protocol: "grpc", httpVersion: "2", baseUrl, pingIntervalMs: 50, pingTimeoutMs: 1_000 } as const;
    const client = products(options);
    await client.getProduct({ id: "1" });
    proxy.fallSilent();
    expect(await codeOf(client.getProduct({ id: "2" }))).toBe(Code.Unavailable);
  });
});

describe("connections over TLS", () => {
  it.each([
    { protocol: "connect", httpVersion: "1.1" },
    { protocol: "connect", httpVersion: "2" },
    { protocol: "grpc", httpVersion: "2" },
  ] as const)("carry $protocol over HTTP/$httpVersion to a server that is trusted, and to no other", async (wire) => {
    const { key, cert } = createCertificate();
    const handler = createConnectHandler({
      routes: (router) => router.rpc(ProductService.method.getProduct, ({ id }) => ({ product: { id } })),
    });
    const listener = await listenHttp({ port: 0, streamsMax: 100, onRequest: handler, tls: { key, cert } });
    cleanups.push(() => listener.close());
    const baseUrl = `https://localhost:${listener.port}`;
    const trusting = products({ ...wire, baseUrl, tls: { ca: cert } });
    expect((await trusting.getProduct({ id: "1" })).product?.id).toBe("1");
    expect(await codeOf(products({ ...wire, baseUrl }).getProduct({ id: "1" }))).toBe(Code.Internal);
  });
});

async function codeOf(call: Promise<unknown>): Promise<Code | "success"> {
  return call.then(
    () => "success",
    (error: unknown) => ConnectError.from(error).code,
  );
}

/** Passes bytes on to a port, until it is told to fall silent. Its connections stay open. */
async function silentProxy(to: number) {
  const sockets: Socket[] = [];
  const proxy = createTcpServer((client) => {
    const server = connect(to, "127.0.0.1");
    sockets.push(client, server);
    client.on("error", () => server.destroy()).on("close", () => server.destroy());
    server.on("error", () => client.destroy());
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return {
    port: (proxy.address() as AddressInfo).port, // A TCP server has an address of this kind.
    fallSilent: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

function createCertificate(): { readonly key: string; readonly cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "rialto-tls-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-days", "1", "-nodes", "-keyout", key, "-out", cert];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", ...names, ...files],
    {
      stdio: "ignore",
    },
  );
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}
