import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ProductService } from "@rialto/contracts";
import { listenHttp } from "@rialto/http";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type ConnectHandlerOptions, createConnectHandler, RequestGone } from "../src/index.ts";
import { ask, enveloped, serving } from "./wire.ts";

const path = "/rialto.product.v1.ProductService/GetProduct";
const asJson = { "content-type": "application/json" };
const asProto = { "content-type": "application/proto" };
const asGrpc = { "content-type": "application/grpc" };

type GetProduct = (request: { readonly id: string }, context: HandlerContext) => Promise<object> | object;

function products(getProduct: GetProduct): Pick<ConnectHandlerOptions, "routes"> {
  return { routes: (router) => router.rpc(ProductService.method.getProduct, getProduct) };
}

const mug = products(({ id }) => ({ product: { id, name: "Mug" } }));

afterEach(() => void vi.restoreAllMocks());

describe("a client of the official library", () => {
  const transports = { createConnectTransport, createGrpcTransport, createGrpcWebTransport };
  const ways = Object.entries(transports).flatMap(([name, create]) =>
    (["1.1", "2"] as const).flatMap((httpVersion) =>
      [true, false].map((useBinaryFormat) => ({ name, create, httpVersion, useBinaryFormat })),
    ),
  );

  it.each(ways)("of $name gets its answer over HTTP/$httpVersion, binary: $useBinaryFormat", async (way) => {
    const port = await serving({
      ...products(({ id }, { responseHeader, responseTrailer }) => {
        responseHeader.set("x-head", "1");
        responseTrailer.set("x-tail", "2");
        return { product: { id, name: "ü".repeat(2_000) } };
      }),
      readMaxBytes: 100_000,
    });
    const { create, ...options } = way;
    const client = createClient(ProductService, create({ baseUrl: `http://127.0.0.1:${port}`, ...options }));
    const seen: Record<string, string | null> = {};
    const { product } = await client.getProduct(
      { id: "x".repeat(50_000) },
      {
        onHeader: (header) => void Object.assign(seen, { head: header.get("x-head") }),
        onTrailer: (trailer) => void Object.assign(seen, { tail: trailer.get("x-tail") }),
      },
    );
    expect(product?.name).toBe("ü".repeat(2_000));
    expect(seen).toEqual({ head: "1", tail: "2" });
    await expect(client.getProduct({ id: "x".repeat(100_001) })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });
});

describe("a request that is too large", () => {
  it.each([{ length: true }, { length: false }])(
    "keeps its connection over HTTP/1.1, length told: $length",
    async (o) => {
      const port = await serving({ ...mug, readMaxBytes: 1_000 });
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      const send = async (body: Buffer) => {
        const headers = { ...asJson, ...(o.length && { "content-length": body.byteLength }) };
        const req = http.request({ port, path, method: "POST", headers, agent });
        req.write(body.subarray(0, 10));
        req.end(body.subarray(10));
        const [res] = (await once(req, "response")) as [http.IncomingMessage];
        return {
          status: res.statusCode,
          body: Buffer.concat(await res.toArray()).toString(),
          reused: req.reusedSocket,
        };
      };
      expect(await send(Buffer.alloc(3_000_000, " "))).toMatchObject({ status: 429 });
      expect(await send(Buffer.from('{"id":"1"}'))).toMatchObject({ status: 200, reused: true });
    },
  );

  it.each([asJson, asGrpc])("is answered over HTTP/2 while its client goes on sending: %o", async (headers) => {
    const port = await serving({ ...mug, readMaxBytes: 1_000 });
    const session = http2.connect(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    stream.write(enveloped(Buffer.alloc(2_000)));
    const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
    expect(head[":status"]).toBe(headers === asJson ? 429 : 200);
    await stream.resume().toArray();
  });
});

describe("a handler that asks for nothing", () => {
  it.each([
    { version: "1.1", headers: asJson, body: '{"id":"1"}' },
    { version: "2", headers: asJson, body: '{"id":"1"}' },
    { version: "2", headers: asGrpc, body: enveloped("") },
  ] as const)("costs no web headers and no signal: $headers over HTTP/$version", async (asked) => {
    const port = await serving(mug);
    const made = [vi.spyOn(globalThis, "Headers"), vi.spyOn(globalThis, "AbortController")];
    const headers = { ...asked.headers, "connect-timeout-ms": "5000", "grpc-timeout": "5S" };
    expect(await ask(port, { path, ...asked, headers })).toMatchObject({ status: 200 });
    for (const constructed of made) expect(constructed).not.toHaveBeenCalled();
  });

  it("is answered in one write to its socket", async () => {
    const handler = createConnectHandler(mug);
    const writes: { readonly mock: { readonly calls: readonly unknown[] } }[] = [];
    const onRequest: http.RequestListener = (req, res) => {
      writes.push(vi.spyOn(req.socket, "_write"), vi.spyOn(req.socket, "_writev"));
      handler(req, res);
    };
    const listener = await listenHttp({ port: 0, streamsMax: 10, onRequest });
    onTestFinished(() => listener.close());
    await ask(listener.port, { path, headers: asJson, body: '{"id":"1"}' });
    expect(writes.flatMap(({ mock }) => mock.calls)).toHaveLength(1);
  });
});

describe("the signal of a call", () => {
  /** Serves a handler that waits for its signal, and returns the port and what the signal's reason was. */
  async function waiting(o: Partial<ConnectHandlerOptions> = {}) {
    const entered = Promise.withResolvers<void>();
    const reason = Promise.withResolvers<unknown>();
    const port = await serving({
      ...products(async (_request, { signal }) => {
        entered.resolve();
        if (!signal.aborted) await once(signal, "abort");
        reason.resolve(signal.reason);
        throw signal.reason;
      }),
      ...o,
    });
    return { port, entered: entered.promise, reason: reason.promise };
  }

  it.each(["1.1", "2"] as const)("aborts when the deadline passes, over HTTP/%s", async (version) => {
    const { port } = await waiting();
    for (const timeout of ["0", "20"]) {
      const headers = { ...asJson, "connect-timeout-ms": timeout };
      const { status, body } = await ask(port, { version, path, headers, body: "{}" });
      expect({ status, ...JSON.parse(`${body}`) }).toMatchObject({ status: 504, code: "deadline_exceeded" });
    }
  });

  it("aborts when the client closes its connection of HTTP/1.1", async () => {
    const { port, entered, reason } = await waiting();
    const req = http.request({ port, path, method: "POST", headers: asJson, agent: false });
    req.on("error", () => undefined);
    req.end("{}");
    await entered;
    req.destroy();
    expect(await reason).toBeInstanceOf(Error);
  });

  it.each([asJson, asGrpc])("aborts as canceled when the client cancels its stream of HTTP/2: %o", async (headers) => {
    const { port, entered, reason } = await waiting();
    const session = http2.connect(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    stream.end(headers === asJson ? "{}" : enveloped(""));
    await entered;
    stream.close(http2.constants.NGHTTP2_CANCEL);
    expect(await reason).toMatchObject({ code: Code.Canceled });
  });

  it("aborts when the server shuts down, with the reason that it gives", async () => {
    const shutdown = new AbortController();
    const { port, entered } = await waiting({ shutdownSignal: shutdown.signal });
    const answered = ask(port, { path, headers: asJson, body: "{}" });
    await entered;
    shutdown.abort(new ConnectError("closing", Code.Unavailable));
    expect(await answered).toMatchObject({ status: 503 });
    expect(await ask(port, { path, headers: asJson, body: "{}" })).toMatchObject({ status: 503 });
  });

  it("aborts when the call is over, and is born aborted where it is first read after that", async () => {
    let early: AbortSignal | undefined;
    let context: HandlerContext | undefined;
    const port = await serving(
      products((_request, given) => {
        early = given.signal;
        return {};
      }),
    );
    const late = await serving(
      products((_request, given) => {
        context = given;
        return {};
      }),
    );
    await ask(port, { path, headers: asJson, body: "{}" });
    await ask(late, { path, headers: asJson, body: "{}" });
    expect(early?.aborted).toBe(true);
    expect(context?.signal.aborted).toBe(true);
  });
});

describe("the context of a handler", () => {
  it.each(["1.1", "2"] as const)("has what the official one has, over HTTP/%s", async (version) => {
    const key = createContextKey("none");
    const port = await serving({
      ...products((_request, context) => {
        const { protocolName, requestMethod, url, timeoutMs, method, service } = context;
        const seen = [protocolName, requestMethod, new URL(url).pathname, method.name, service.typeName];
        const left = timeoutMs() ?? 0;
        return {
          product: { id: `${left > 0 && left <= 5_000}`, name: seen.join(), category: context.values.get(key) },
        };
      }),
      requestGate: ({ values, requestHeader }) => void values.set(key, requestHeader.get("x-caller") ?? ""),
    });
    const headers = { ...asJson, "x-caller": "me", "connect-timeout-ms": "5000" };
    const { body } = await ask(port, { version, path, headers, body: "{}" });
    expect(JSON.parse(`${body}`).product).toEqual({
      id: "true",
      name: `connect,POST,${path},GetProduct,rialto.product.v1.ProductService`,
      category: "me",
    });
  });

  it("has the values that the owner of the handler made of the request", async () => {
    const key = createContextKey("none");
    const port = await serving({
      ...products((_request, { values }) => ({ product: { id: values.get(key) } })),
      contextValues: (req) => {
        const kept: Record<symbol, unknown> = { [key.id]: req.headers["x-caller"] };
        return {
          get: ({ id, defaultValue }) => (kept[id] as typeof defaultValue | undefined) ?? defaultValue,
          set: () => expect.unreachable(),
          delete: () => expect.unreachable(),
        };
      },
    });
    for (const version of ["1.1", "2"] as const) {
      const { body } = await ask(port, { version, path, headers: { ...asJson, "x-caller": "me" }, body: "{}" });
      expect(JSON.parse(`${body}`)).toEqual({ product: { id: "me" } });
    }
  });
});

describe("a gate that takes its time", () => {
  it.each(["1.1", "2"] as const)("loses no body that came meanwhile, over HTTP/%s", async (version) => {
    const port = await serving({ ...mug, requestGate: () => sleep(20) });
    for (const body of ["", '{"id":"1"}']) {
      const { status, body: answered } = await ask(port, {
        version,
        path,
        headers: body === "" ? asProto : asJson,
        body,
      });
      expect({ status, answered: answered.byteLength > 0 }).toEqual({ status: 200, answered: true });
    }
  });
});

describe("an answer that HTTP cannot carry", () => {
  it.each([
    { headers: asGrpc, part: "responseTrailer" },
    { headers: asGrpc, part: "responseHeader" },
    { headers: asJson, part: "responseHeader" },
  ] as const)("ends its stream of HTTP/2 and nothing else: $part of $headers", async ({ headers, part }) => {
    const port = await serving(
      products(({ id }, context) => {
        if (id !== "1") context[part].set("connection", "close");
        return {};
      }),
    );
    const session = http2.connect(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    const send = async (id: string) => {
      const stream = session.request({ ":method": "POST", ":path": path, ...headers });
      stream.on("error", () => undefined);
      stream.end(headers === asJson ? JSON.stringify({ id }) : enveloped(Buffer.from([10, 1, ...Buffer.from(id)])));
      stream.resume();
      await new Promise((resolve) => stream.once("close", resolve));
      return stream.rstCode;
    };
    expect(await send("2")).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR);
    expect(await send("1")).toBe(http2.constants.NGHTTP2_NO_ERROR);
  });
});

describe("hooks", () => {
  it("receive the body, check the message and render what a call ended with", async () => {
    const seen: unknown[] = [];
    const port = await serving({
      ...mug,
      hooks: {
        receive: async (call) => {
          seen.push(call.header("x-caller"));
          return Buffer.from('{"id":"received"}');
        },
        check: (_call, message) => {
          seen.push(`${Buffer.from(message)}`);
          if (seen.length > 2) throw new Error("no");
          return Buffer.from('{"id":"checked"}');
        },
        renderError: (_call, thrown) => {
          seen.push(thrown);
          return { status: 418, headers: { "x-own": "1" }, body: Buffer.from("own") };
        },
      },
    });
    const asked = { path, headers: { ...asJson, "x-caller": "me" }, body: "{}" };
    expect(`${(await ask(port, asked)).body}`).toContain('"id":"checked"');
    expect(seen).toEqual(["me", '{"id":"received"}']);
    const refused = await ask(port, asked);
    expect({ ...refused, body: `${refused.body}` }).toMatchObject({
      status: 418,
      headers: { "x-own": "1" },
      body: "own",
    });
    expect(seen.at(-1)).toEqual(new Error("no"));
  });

  it("are told of a client that went away before its request was whole", async () => {
    const gone = Promise.withResolvers<unknown>();
    const renderError = (_call: unknown, thrown: unknown) => {
      gone.resolve(thrown);
      return undefined;
    };
    const port = await serving({ ...mug, hooks: { renderError } });
    const socket = net.connect(port, "127.0.0.1");
    socket.write(`POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`);
    await once(socket, "connect");
    setTimeout(() => socket.destroy(), 50);
    expect(await gone.promise).toBeInstanceOf(RequestGone);
  });
});
