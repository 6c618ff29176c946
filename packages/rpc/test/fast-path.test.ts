import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { CreateOrderRequestSchema, ErrorInfoSchema, GetOrderRequestSchema, OrderService } from "@rialto/contracts";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Endpoint, listen, type RpcListener } from "../src/index.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";
import { pathOf } from "./transports.ts";

const path = pathOf(OrderService.method.getOrder);
const json = JSON.stringify({ id: orderId });

let people: People;
let fast: RpcListener;
let stock: RpcListener;
let handled: readonly unknown[];
const handle = vi.fn<Endpoint["handle"]>();

beforeAll(async () => {
  people = await createPeople();
  // Also where all other tests go by the official handlers.
  vi.stubEnv("RIALTO_TEST_UNARY_PATH", "fast");
  const { endpoint, calls: contexts } = createFixture(people);
  handled = contexts;
  handle.mockImplementation(endpoint.handle);
  fast = await listen({ endpoint: { ...endpoint, handle }, port: 0, host: "127.0.0.1" });
  stock = await listen({ endpoint: { ...endpoint, fastPath: undefined }, port: 0, host: "127.0.0.1" });
});
afterAll(() => Promise.all([fast.close(), stock.close()]));

async function answerOf({ port }: RpcListener, target: string, init: RequestInit) {
  const headers = { "x-request-id": "r", authorization: `Bearer ${people.customer}`, ...init.headers };
  const response = await fetch(`http://127.0.0.1:${port}${target}`, { method: "POST", ...init, headers });
  const { date: _date, "content-length": _length, ...rest } = Object.fromEntries(response.headers);
  // What details say for people to read may leave empty fields out.
  const body = JSON.parse(await response.text(), (name, value) => (name === "debug" ? undefined : value));
  return { status: response.status, headers: rest, body };
}

const asJson = { "content-type": "application/json" };
const long = JSON.stringify({ id: "x".repeat(200_000) });
const calls: Readonly<Record<string, RequestInit & { readonly target?: string }>> = {
  "a call": { headers: asJson, body: json },
  "a compressed call": { headers: { ...asJson, "content-encoding": "gzip" }, body: new Uint8Array(gzipSync(json)) },
  "a call whose message is invalid": { headers: asJson, body: '{"id":"x"}' },
  "a call whose JSON is broken": { headers: asJson, body: "{" },
  "a call whose bytes are broken": { headers: { "content-type": "application/proto" }, body: "\xff\xff" },
  "a call that is too large": { headers: asJson, body: long },
  "a call that is too large decompressed": {
    headers: { ...asJson, "content-encoding": "gzip" },
    body: new Uint8Array(gzipSync(long)),
  },
  "a call that is no gzip": { headers: { ...asJson, "content-encoding": "gzip" }, body: json },
  "a call in an unknown compression": { headers: { ...asJson, "content-encoding": "lzma" }, body: json },
  "a call by somebody else": { headers: { ...asJson, authorization: "Bearer x" }, body: json },
  "a call of another version": { headers: { ...asJson, "connect-protocol-version": "2" }, body: json },
  "a call with a timeout that is none": { headers: { ...asJson, "connect-timeout-ms": "soon" }, body: json },
  "a call whose time is over": { headers: { ...asJson, "connect-timeout-ms": "0" }, body: json },
  "a call of an unknown type": { headers: { "content-type": "text/plain" }, body: json },
  "a call by PUT": { method: "PUT", headers: asJson, body: json },
  "a GET": { method: "GET", target: `${path}?encoding=json&message=${encodeURIComponent(json)}` },
  "a GET that is no base64": { method: "GET", target: `${path}?encoding=json&base64=1&message=*` },
  "a GET of another version": { method: "GET", target: `${path}?encoding=json&message={}&connect=v2` },
};

describe("the fast path of unary calls", () => {
  it.each(Object.entries(calls))("answers %s as the official handlers do", async (_title, call) => {
    const { target = path, ...init } = call;
    expect(await answerOf(fast, target, init)).toEqual(await answerOf(stock, target, init));
  });

  it("takes the calls that the other path would have taken", async () => {
    handle.mockClear();
    expect(await answerOf(fast, path, { headers: asJson, body: json })).toMatchObject({ status: 200 });
    expect(await answerOf(fast, path, { headers: asJson, body: "{" })).toMatchObject({ status: 400 });
    expect(handle).not.toHaveBeenCalled();
  });

  const ways = {
    "gRPC over HTTP/2": (baseUrl: string) => createGrpcTransport({ baseUrl }),
    "gRPC-Web over HTTP/1.1": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    "gRPC-Web over HTTP/2": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  };

  it.each(Object.entries(ways))("says by %s what the official handlers say", async (_name, transport) => {
    const told = async ({ port }: RpcListener, id: string, token: string) => {
      const client = createClient(OrderService, transport(`http://127.0.0.1:${port}`));
      const headers = { "x-request-id": "r", authorization: `Bearer ${token}` };
      try {
        const head: Record<string, string | null> = {};
        const onHeader = (given: Headers) => void Object.assign(head, { id: given.get("x-request-id") });
        const { order } = await client.getOrder({ id }, { headers, onHeader });
        return { id: order?.id, head };
      } catch (error) {
        const { code, rawMessage, details, metadata } = ConnectError.from(error);
        const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
        return { code, rawMessage, details: details.length, reason: info?.reason, id: metadata.get("x-request-id") };
      }
    };
    for (const [id, token] of [
      [orderId, people.customer],
      ["no id", people.customer],
      ["x".repeat(200_000), people.customer],
      [orderId, people.otherCustomer],
      [orderId, people.bad.expired],
    ] as const) {
      expect(await told(fast, id, token)).toEqual(await told(stock, id, token));
    }
    expect(await told(fast, orderId, people.customer)).toEqual({ id: orderId, head: { id: "r" } });
    expect(await told(fast, "x".repeat(200_000), people.customer)).toMatchObject({ code: Code.ResourceExhausted });
  });
});

describe.each(["fast", "stock"] as const)("a request on the %s path", (kind) => {
  const portOf = () => (kind === "fast" ? fast : stock).port;
  const createPath = pathOf(OrderService.method.createOrder);
  const order = toBinary(
    CreateOrderRequestSchema,
    create(CreateOrderRequestSchema, {
      items: [{ productId: orderId, quantity: 1 }],
      paymentMethod: "pm_test_approved",
      expectedTotal: { currencyCode: "EUR", minorUnits: 12n },
    }),
  );
  const withoutTotal = toBinary(
    CreateOrderRequestSchema,
    create(CreateOrderRequestSchema, {
      items: [{ productId: orderId, quantity: 1 }],
      paymentMethod: "pm_test_approved",
    }),
  );

  it("whose HTTP/2 connection is lost between two fields of its message is not handled", async () => {
    const before = handled.length;
    const session = connectHttp2(`http://127.0.0.1:${portOf()}`);
    session.on("error", () => undefined);
    const stream = session.request({
      ":method": "POST",
      ":path": createPath,
      "content-type": "application/proto",
      "content-length": order.byteLength,
      authorization: `Bearer ${people.customer}`,
    });
    stream.on("error", () => undefined);
    // What has arrived is a whole message by itself: the fields are in the order of their numbers.
    expect(order.subarray(0, withoutTotal.byteLength)).toEqual(withoutTotal);
    stream.write(withoutTotal);
    await sleep(100);
    session.destroy();
    await sleep(300);
    expect(await answerOf(kind === "fast" ? fast : stock, path, { headers: asJson, body: json })).toMatchObject({
      status: 200,
    });
    expect(handled).toHaveLength(before + 1);
  });

  it("whose time is over when its message is whole is not handled", async () => {
    const before = handled.length;
    const socket = connect(portOf(), "127.0.0.1");
    const head = `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${people.customer}\r\n`;
    const length = Buffer.byteLength(json);
    socket.write(
      `${head}content-type: application/json\r\nconnect-timeout-ms: 50\r\ncontent-length: ${length}\r\n\r\n{`,
    );
    await sleep(200);
    socket.write(json.slice(1));
    socket.on("error", () => undefined);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    await once(socket, "close");
    expect(text.slice(0, 12)).toBe("HTTP/1.1 504");
    expect(handled).toHaveLength(before);
  });

  it("with more envelopes than a call has is refused before they are decompressed", async () => {
    const message = toBinary(GetOrderRequestSchema, create(GetOrderRequestSchema, { id: orderId }));
    const large = brotliCompressSync(Buffer.alloc(100_000));
    const envelope = (flags: number, bytes: Uint8Array) => {
      const head = Buffer.alloc(5);
      head.writeUInt8(flags);
      head.writeUInt32BE(bytes.byteLength, 1);
      return Buffer.concat([head, bytes]);
    };
    const skipped = Array.from({ length: 20 }, () => envelope(0x81, large));
    const response = await fetch(`http://127.0.0.1:${portOf()}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/grpc-web+proto",
        "grpc-encoding": "br",
        authorization: `Bearer ${people.customer}`,
      },
      body: new Uint8Array(Buffer.concat([envelope(0, message), ...skipped])),
    });
    const status = /grpc-status: *(\d+)/.exec(await response.text())?.[1];
    expect(["3", "12"]).toContain(status);
  });
});
