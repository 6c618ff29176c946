import { fromJson, toBinary } from "@bufbuild/protobuf";
import { CreateOrderRequestSchema, OrderService } from "@rialto/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isSafeToRepeat } from "../src/index.ts";
import { createPeople, type People } from "./keys.ts";
import { createShop, orderId } from "./shop.ts";

const { createOrder, cancelOrder, getOrder, watchOrder } = OrderService.method;
const request = { items: [{ productId: orderId, quantity: 2 }], paymentMethod: "pm" };
const json = `{"items":[{"productId":"${orderId}","quantity":2}],"paymentMethod":"pm"}`;
const otherOrder = `{ "payment_method": "pm", "items": [ { "quantity": "2", "product_id": "${orderId}" } ] }`;
const otherRequest = `{"items":[{"productId":"${orderId}","quantity":3}],"paymentMethod":"pm"}`;

let people: People;
let shop: ReturnType<typeof createShop>;

beforeAll(async () => {
  people = await createPeople();
  shop = createShop(people);
});
beforeEach(() => {
  shop.calls.length = 0;
});
afterAll(() => expect(shop.lines.filter((line) => line.level === "error")).toEqual([]));

async function post(type: string, body: Uint8Array, token = people.customer, method = createOrder, key = "k-1") {
  const response = await shop.endpoint.fetchBytes({
    url: `http://test/${method.parent.typeName}/${method.name}`,
    method: "POST",
    header: new Headers({ "content-type": type, authorization: `Bearer ${token}`, "idempotency-key": key }),
    body: (async function* () {
      yield body;
    })(),
  });
  expect(response.status).toBe(200);
  const seen = shop.calls.at(-1)?.idempotencyKey;
  if (seen === undefined) throw new Error("the handler saw no key");
  return seen;
}

const postJson = (text: string, ...rest: [string?]) => post("application/json", Buffer.from(text), ...rest);

describe("an idempotency key", () => {
  it("goes with a fingerprint of the request as it was understood, however it was written", async () => {
    const first = await postJson(json);
    expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(await postJson(otherOrder)).toEqual(first);
    const binary = toBinary(CreateOrderRequestSchema, fromJson(CreateOrderRequestSchema, request));
    expect(await post("application/proto", binary)).toEqual(first);
    expect((await postJson(otherRequest)).fingerprint).not.toBe(first.fingerprint);
  });

  it("belongs to its caller and its method", async () => {
    const first = await postJson(json);
    const others = await postJson(json, people.otherCustomer);
    expect(others).toMatchObject({ key: first.key, method: first.method, fingerprint: first.fingerprint });
    expect(others.caller).not.toBe(first.caller);
    expect((await postJson(json, people.admin)).caller).toMatch(/^admin:/);
  });
});

describe("a call", () => {
  it("is safe to repeat where it changes nothing, or carries a key and can be done once", () => {
    const key = new Headers({ "idempotency-key": "k-1" });
    const none = new Headers();
    expect([getOrder, createOrder, cancelOrder, watchOrder].map((method) => isSafeToRepeat(method, none))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([createOrder, cancelOrder].map((method) => isSafeToRepeat(method, key))).toEqual([true, true]);
  });
});
