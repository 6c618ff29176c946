import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type Interceptor } from "@connectrpc/connect";
import { GetProductRequestSchema, ProductSchema, ProductService } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { type ConnectHandlerOptions, createConnectHandler } from "../src/index.ts";
import { type Answered, type Asked, ask, enveloped, serving } from "./wire.ts";

const get = "/rialto.product.v1.ProductService/GetProduct";
const make = "/rialto.product.v1.ProductService/CreateProduct";
const unhandled = "/rialto.product.v1.ProductService/ListProducts";

const json = jsonOf("Müg");
const binary = binaryOf("Müg");
const large = binaryOf("x".repeat(5_000));

function jsonOf(id: string): string {
  return JSON.stringify({ id });
}

function binaryOf(id: string): Uint8Array {
  return toBinary(GetProductRequestSchema, create(GetProductRequestSchema, { id }));
}

/** Answers by the id that is asked for. */
function routes(router: ConnectRouter): void {
  router.service(ProductService, {
    getProduct({ id }, context) {
      context.responseHeader.set("x-protocol", context.protocolName);
      context.responseHeader.append("set-cookie", "a=1");
      context.responseHeader.append("set-cookie", "b=2");
      context.responseTrailer.set("x-end", "ä");
      if (id === "refused") {
        throw new ConnectError("no, 100 % – no", Code.FailedPrecondition, { "x-why": "so", "content-type": "x/y" }, [
          { desc: ProductSchema, value: { id: "1" } },
        ]);
      }
      if (id === "defect") throw new Error("secret");
      if (id === "unwritable") return { product: { id: "\ud800" } };
      if (id === "nothing") return {};
      return { product: { id, name: "Mug", description: "d".repeat(id === "long" ? 3_000 : 1) } };
    },
    createProduct: () => ({}),
  });
}

const asJson = { "content-type": "application/json" };
const asProto = { "content-type": "application/proto" };
const asGrpc = { "content-type": "application/grpc", te: "trailers" };
const asWeb = { "content-type": "application/grpc-web+proto" };

const post: Readonly<Record<string, Omit<Asked, "path">>> = {
  "Connect, JSON": { headers: asJson, body: json },
  "Connect, JSON with a charset": { headers: { "content-type": "Application/JSON; charset=utf-8" }, body: json },
  "Connect, binary": { headers: asProto, body: binary },
  "an empty message": { headers: asProto, body: "" },
  "an empty body, as JSON": { headers: asJson, body: "" },
  "JSON with a byte order mark": { headers: asJson, body: `\ufeff${json}` },
  "an unknown field": { headers: asJson, body: `{"other":1}` },
  "broken JSON": { headers: asJson, body: "{" },
  "broken bytes": { headers: asProto, body: Buffer.from([0xff, 0xff]) },
  "an answer of nothing": { headers: asJson, body: jsonOf("nothing") },
  "a refusal with details": { headers: asJson, body: jsonOf("refused") },
  "a refusal of a binary call": { headers: asProto, body: binaryOf("refused") },
  "a defect": { headers: asJson, body: jsonOf("defect") },
  "an answer that cannot be written": { headers: asProto, body: binaryOf("unwritable") },
  "a request in gzip": { headers: { ...asProto, "content-encoding": "gzip" }, body: gzipSync(binary) },
  "a request in br": { headers: { ...asProto, "content-encoding": "br" }, body: brotliCompressSync(large) },
  "a request in identity": { headers: { ...asProto, "content-encoding": "identity" }, body: binary },
  "a request in what nobody knows": { headers: { ...asProto, "content-encoding": "zip" }, body: binary },
  "a request that is no gzip": { headers: { ...asProto, "content-encoding": "gzip" }, body: binary },
  "an answer in gzip": { headers: { ...asJson, "accept-encoding": "zip, gzip, br" }, body: jsonOf("long") },
  "an answer in br": { headers: { ...asJson, "accept-encoding": "br" }, body: jsonOf("long") },
  "a small answer that could be in gzip": { headers: { ...asJson, "accept-encoding": "gzip" }, body: json },
  "a timeout": { headers: { ...asJson, "connect-timeout-ms": "5000" }, body: json },
  "a timeout that is none": { headers: { ...asJson, "connect-timeout-ms": "5s" }, body: json },
  "a timeout that is too long": { headers: { ...asJson, "connect-timeout-ms": "100000" }, body: json },
  "another version of the protocol": { headers: { ...asJson, "connect-protocol-version": "2" }, body: json },
  "a message that is too large": { headers: asProto, body: Buffer.concat([large, large, large]) },
  "a message that is too large decompressed": {
    headers: { ...asProto, "content-encoding": "gzip" },
    body: gzipSync(Buffer.alloc(20_000)),
  },
  "a content type of nobody": { headers: { "content-type": "text/plain" }, body: json },
  "no content type": { body: json },
  "a content type of a stream": { headers: { "content-type": "application/connect+json" }, body: enveloped(json) },
  "the method PUT": { method: "PUT", headers: asJson, body: json },
  gRPC: { headers: asGrpc, body: enveloped(binary) },
  "gRPC, JSON": { headers: { "content-type": "application/grpc+json" }, body: enveloped(json) },
  "gRPC, no message": { headers: asGrpc, body: "" },
  "gRPC, two messages": { headers: asGrpc, body: Buffer.concat([enveloped(binary), enveloped(binary)]) },
  "gRPC, a second message that is broken": {
    headers: asGrpc,
    body: Buffer.concat([enveloped(binary), enveloped(Buffer.from([0xff]))]),
  },
  "gRPC, half a message": { headers: asGrpc, body: enveloped(binary).subarray(0, 9) },
  "gRPC, half a head": { headers: asGrpc, body: enveloped(binary).subarray(0, 3) },
  "gRPC, a message and a half": {
    headers: asGrpc,
    body: Buffer.concat([enveloped(binary), enveloped(binary).subarray(0, 7)]),
  },
  "gRPC, a broken message": { headers: asGrpc, body: enveloped(Buffer.from([0xff])) },
  "gRPC, a message that is too large": { headers: asGrpc, body: enveloped(Buffer.alloc(20_000)) },
  "gRPC, a message in gzip": { headers: { ...asGrpc, "grpc-encoding": "gzip" }, body: enveloped(gzipSync(binary), 1) },
  "gRPC, a message that says it is compressed": { headers: asGrpc, body: enveloped(gzipSync(binary), 1) },
  "gRPC, an unknown compression": { headers: { ...asGrpc, "grpc-encoding": "zip" }, body: enveloped(binary, 1) },
  "gRPC, an answer in gzip": {
    headers: { ...asGrpc, "grpc-accept-encoding": "gzip" },
    body: enveloped(binaryOf("long")),
  },
  "gRPC, a refusal": { headers: asGrpc, body: enveloped(binaryOf("refused")) },
  "gRPC, a defect": { headers: asGrpc, body: enveloped(binaryOf("defect")) },
  "gRPC, a timeout": { headers: { ...asGrpc, "grpc-timeout": "5S" }, body: enveloped(binary) },
  "gRPC, a timeout that is none": { headers: { ...asGrpc, "grpc-timeout": "5" }, body: enveloped(binary) },
  "gRPC-Web": { headers: asWeb, body: enveloped(binary) },
  "gRPC-Web, JSON": { headers: { "content-type": "application/grpc-web+json" }, body: enveloped(json) },
  "gRPC-Web, text": { headers: { "content-type": "application/grpc-web-text" }, body: enveloped(binary) },
  "gRPC-Web, trailers in the request": {
    headers: asWeb,
    body: Buffer.concat([enveloped(binary), enveloped("a: b\r\n", 128)]),
  },
  "gRPC-Web, two messages": { headers: asWeb, body: Buffer.concat([enveloped(binary), enveloped(binary)]) },
  "gRPC-Web, an answer in gzip": {
    headers: { ...asWeb, "grpc-accept-encoding": "gzip" },
    body: enveloped(binaryOf("long")),
  },
  "gRPC-Web, a refusal": { headers: asWeb, body: enveloped(binaryOf("refused")) },
};

const gets: Readonly<Record<string, string>> = {
  JSON: `encoding=json&message=${encodeURIComponent('{"id":"ä+"}')}`,
  binary: `encoding=proto&base64=1&message=${Buffer.from([10, 1, 49]).toString("base64url")}`,
  "no message": "encoding=json",
  "a message that is no base64": "encoding=proto&base64=1&message=*",
  "a message in gzip": `encoding=json&base64=1&compression=gzip&message=${gzipSync('{"id":"1"}').toString("base64url")}`,
  "a compression that nobody knows": "encoding=json&compression=zip&message={}",
  "a compression without a name": "encoding=json&compression=&message={}",
  "a version": "encoding=json&message={}&connect=v1",
  "another version": "encoding=json&message={}&connect=v2",
  "an unknown encoding": "encoding=xml&message={}",
  "no query": "",
};

/** What both paths must have in common. HTTP's own framing may differ. */
function told({ status, headers, trailers, body }: Answered) {
  const {
    date,
    connection,
    "keep-alive": keep,
    "transfer-encoding": coding,
    "content-length": length,
    ...rest
  } = headers;
  return { status, headers: rest, trailers, body: body.toString("latin1") };
}

async function onBothPaths(asked: Asked, o: Partial<ConnectHandlerOptions> = {}) {
  const options = { readMaxBytes: 10_000, maxTimeoutMs: 60_000, routes, ...o };
  const fast = await ask(await serving(options), asked);
  const stock = await ask(await serving({ ...options, unaryPath: "stock" }), asked);
  return { fast: told(fast), stock: told(stock) };
}

describe.each(["1.1", "2"] as const)("the fast path says what the official handler says over HTTP/%s to", (version) => {
  it.each(Object.entries(post))("%s", async (_title, asked) => {
    const { fast, stock } = await onBothPaths({ version, path: get, ...asked });
    expect(fast).toEqual(stock);
  });

  it.each(Object.entries(gets))("a GET with %s", async (_title, query) => {
    const { fast, stock } = await onBothPaths({ version, method: "GET", path: `${get}?${query}` });
    expect(fast).toEqual(stock);
  });

  it("a GET of a method with side effects, of an unknown method and with a content type", async () => {
    const query = "?encoding=json&message={}";
    for (const asked of [
      { path: `${make}${query}` },
      { path: `/other${query}` },
      { path: `${get}${query}`, headers: asJson },
      { path: `${get}${query}`, headers: { "content-type": "text/plain" } },
    ]) {
      const { fast, stock } = await onBothPaths({ version, method: "GET", ...asked });
      expect(fast).toEqual(stock);
    }
  });

  it("a call that must name its version, and one whose answer is too large", async () => {
    const options = { requireConnectProtocolHeader: true, writeMaxBytes: 20 };
    const call = { version, path: get, headers: asJson, body: json };
    for (const asked of [
      call,
      { ...call, headers: { ...asJson, "connect-protocol-version": "1" } },
      { ...call, headers: { ...asJson, "connect-protocol-version": "2" } },
      { version, path: get, headers: asGrpc, body: enveloped(binary) },
      { version, method: "GET", path: `${get}?encoding=json&message={}` },
      { version, method: "GET", path: `${get}?encoding=json&message={}&connect=1` },
    ]) {
      const { fast, stock } = await onBothPaths(asked, options);
      expect(fast).toEqual(stock);
    }
  });

  it("a call that the gate refuses, with headers that it set before", async () => {
    const requestGate: ConnectHandlerOptions["requestGate"] = async ({ responseHeader, requestHeader }) => {
      responseHeader.set("x-gate", requestHeader.get("x-caller") ?? "none");
      throw new ConnectError("who are you?", Code.Unauthenticated);
    };
    for (const headers of [asJson, asGrpc, asWeb]) {
      const asked = { version, path: get, headers: { ...headers, "x-caller": "a" }, body: "not read" };
      const { fast, stock } = await onBothPaths(asked, { requestGate });
      expect(fast).toEqual(stock);
    }
  });

  it("a call whose interceptors replace the message and the headers", async () => {
    const interceptor: Interceptor = (next) => async (req) => {
      const header = new Headers(req.header);
      header.set("x-seen", "1");
      const res = await next({ ...req, header });
      if (res.stream) throw new Error("unary calls only");
      return {
        ...res,
        header: new Headers({ "content-type": "x/y", "x-protocol": "1", "set-cookie": "c=3" }),
        trailer: new Headers({ "x-end": "1" }),
      };
    };
    for (const { headers, body } of [
      { headers: asProto, body: binary },
      { headers: asGrpc, body: enveloped(binary) },
    ]) {
      const { fast, stock } = await onBothPaths({ version, path: get, headers, body }, { interceptors: [interceptor] });
      expect(fast).toEqual(stock);
    }
  });

  it("a method that no handler was given for, and a protocol that is switched off", async () => {
    const unknown = { version, path: unhandled, headers: asJson, body: "{}" };
    const grpc = { version, path: get, headers: asGrpc, body: enveloped(binary) };
    for (const { fast, stock } of [await onBothPaths(unknown), await onBothPaths(grpc, { grpc: false })]) {
      expect(fast).toEqual(stock);
    }
  });
});

describe("a handler", () => {
  it("answers with a fallback where no path is known, and under a prefix where it has one", async () => {
    const fallback: ConnectHandlerOptions["fallback"] = (_req, res) => {
      res.writeHead(418);
      res.end();
    };
    const port = await serving({ routes, fallback, requestPathPrefix: "/api" });
    expect(await ask(port, { path: get, headers: asJson, body: "{}" })).toMatchObject({ status: 418 });
    expect(await ask(port, { path: `/api${get}`, headers: asJson, body: "{}" })).toMatchObject({ status: 200 });
  });

  it("refuses options that the official handler refuses", () => {
    expect(() => createConnectHandler({ routes, readMaxBytes: 0 })).toThrow("readMaxBytes 0 must be >= 1");
  });
});
