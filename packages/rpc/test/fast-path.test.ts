import { gzipSync } from "node:zlib";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema, OrderService } from "@rialto/contracts";
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
const handle = vi.fn<Endpoint["handle"]>();

beforeAll(async () => {
  people = await createPeople();
  // Also where all other tests go by the official handlers.
  vi.stubEnv("RIALTO_TEST_UNARY_PATH", "fast");
  const { endpoint } = createFixture(people);
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
