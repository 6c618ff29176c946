import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { CreateOrderRequestSchema, OrderService } from "@rialto/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";
import { openTransports, pathOf, resultOf } from "./transports.ts";

const path = pathOf(OrderService.method.createOrder);
const json = JSON.stringify({ items: [{ productId: orderId, quantity: 2 }], paymentMethod: "pm" });

let people: People;
let shop: ReturnType<typeof createFixture>;
let opened: Awaited<ReturnType<typeof openTransports>>;

beforeAll(async () => {
  people = await createPeople();
  shop = createFixture(people);
  opened = await openTransports(shop.endpoint, people.verifier);
});
afterAll(() => opened.close());
beforeEach(() => {
  shop.lines.length = 0;
});

function send(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const authorization = `Bearer ${people.customer}`;
  return fetch(`${opened.base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization, ...headers },
    body,
  });
}

describe("an endpoint over HTTP", () => {
  it("answers binary in binary", async () => {
    const items = [{ productId: orderId, quantity: 1 }];
    const body = toBinary(CreateOrderRequestSchema, create(CreateOrderRequestSchema, { items, paymentMethod: "pm" }));
    const response = await send(new Uint8Array(body), { "content-type": "application/proto" });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/proto"]);
  });

  it("knows the access token of who calls through the gateway, which makes calls of its own in their name", async () => {
    shop.calls.length = 0;
    await send(json);
    expect(shop.calls.map(({ userToken }) => userToken)).toEqual([people.customer]);
  });

  it("answers with the request id, refusals too", async () => {
    expect((await send(json, { "x-request-id": "r-1" })).headers.get("x-request-id")).toBe("r-1");
    expect((await send("{}", { "x-request-id": "r-2" })).headers.get("x-request-id")).toBe("r-2");
    expect((await send(json)).headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("reads with GET what changes nothing", async () => {
    const query = `connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify({ id: orderId }))}`;
    const response = await fetch(`${opened.base}${pathOf(OrderService.method.getOrder)}?${query}`, {
      headers: { authorization: `Bearer ${people.customer}` },
    });
    expect(await response.json()).toMatchObject({ order: { id: orderId } });
    const refused = await fetch(`${opened.base}${path}?${query}`);
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "POST"]);
    expect(resultOf(refused.status, await refused.text())).toMatchObject({ reason: "METHOD_UNKNOWN" });
  });

  it("reads a compressed request, and says why it does not read one that is compressed in a way that it does not know", async () => {
    const response = await send(new Uint8Array(gzipSync(json)), { "content-encoding": "gzip" });
    expect(response.status).toBe(200);
    const refused = await send(json, { "content-encoding": "lzma" });
    const result = resultOf(refused.status, await refused.text());
    expect([refused.status, result]).toMatchObject([501, { code: "unimplemented", reason: "INVALID_REQUEST" }]);
  });

  it.each([
    ["no JSON", "{"],
    ["JSON of another shape", '{"items": 7}'],
    ["a number that is none", `{"items":[{"productId":"${orderId}","quantity":1e99}]}`],
    ["more than it reads", JSON.stringify({ paymentMethod: "x".repeat(5 * 1024 * 1024) })],
  ])("refuses %s with a reason, and logs it", async (_what, body) => {
    const response = await send(body, { "x-request-id": "r-3" });
    const result = resultOf(response.status, await response.text());
    expect([response.status, response.headers.get("x-request-id")]).toEqual([400, "r-3"]);
    expect(result).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST" });
    expect(shop.lines).toMatchObject([{ level: "info", reason: "INVALID_REQUEST", requestId: "r-3" }]);
  });

  it("bounds the time that a caller asks for, and refuses what is no time", async () => {
    shop.calls.length = 0;
    expect((await send(json, { "connect-timeout-ms": "9999999999" })).status).toBe(200);
    const [ctx] = shop.calls;
    expect(+(ctx?.deadline ?? 0) - +(ctx?.now ?? 0)).toBe(60_000);
    const response = await send(json, { "connect-timeout-ms": "soon" });
    expect(resultOf(response.status, await response.text())).toMatchObject({ reason: "INVALID_REQUEST" });
  });

  it.each([
    ["is no message", { order: { createTime: { seconds: "soon" as never } } }],
    ["is too large", { order: { paymentMethod: "x".repeat(5 * 1024 * 1024) } }],
  ])("tells nobody but its log of an answer that %s", async (_what, answer) => {
    const broken = createFixture(people, { createOrder: async () => answer });
    const other = await openTransports(broken.endpoint, people.verifier);
    for (const way of [other.transports["by bytes"], other.transports["over HTTP"]]) {
      const request = JSON.parse(json);
      const result = await way(OrderService.method.createOrder, request, {
        authorization: `Bearer ${people.customer}`,
      });
      expect(result).toMatchObject({ code: "internal", reason: "INTERNAL_ERROR" });
      expect(result.message).not.toMatch(/time|size/);
    }
    expect(broken.lines.filter((line) => line.level === "error").length).toBeGreaterThanOrEqual(2);
    await other.close();
  });

  it("does not read what a stranger sends", async () => {
    const response = await send("{", { authorization: `Bearer ${people.bad.forged}` });
    expect(resultOf(response.status, await response.text())).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("does not know other paths", async () => {
    for (const other of ["/", "/rialto.order.v1.OrderService/Nothing", "//x", "/%zz"]) {
      const response = await fetch(`${opened.base}${other}`, { method: "POST", body: "{}" });
      expect(resultOf(response.status, await response.text())).toMatchObject({ reason: "METHOD_UNKNOWN" });
    }
  });
});
