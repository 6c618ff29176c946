import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { CreateOrderRequestSchema, CreateUserRequestSchema, OrderService, UserService } from "@rialto/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Caller, isSafeToRetry, type UserId } from "../src/index.ts";
import { idempotencyKeyOf } from "../src/server/idempotency.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";

const { createOrder, cancelOrder, getOrder, watchOrder } = OrderService.method;
const request = { items: [{ productId: orderId, quantity: 2 }], paymentMethod: "pm" };
const json = `{"items":[{"productId":"${orderId}","quantity":2}],"paymentMethod":"pm"}`;
const otherOrder = `{ "payment_method": "pm", "items": [ { "quantity": "2", "product_id": "${orderId}" } ] }`;
const otherRequest = `{"items":[{"productId":"${orderId}","quantity":3}],"paymentMethod":"pm"}`;

let people: People;
let shop: ReturnType<typeof createFixture>;

beforeAll(async () => {
  people = await createPeople();
  shop = createFixture(people);
});
beforeEach(() => {
  shop.calls.length = 0;
});
afterAll(() => expect(shop.lines.filter((line) => line.level === "error")).toEqual([]));

async function post(type: string, body: Uint8Array, token = people.customer, method = createOrder, key = "k-1") {
  const response = await shop.endpoint.handle({
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

function keyFor(caller: Caller, clientAddress?: string) {
  const message = fromJson(CreateOrderRequestSchema, request);
  const of = { method: createOrder, request: message, key: "k-1", caller, clientAddress };
  return idempotencyKeyOf({ ...of, fingerprintKey: "f" });
}

function signUpKey(password: string) {
  const message = create(CreateUserRequestSchema, { email: "ada@example.com", name: "Ada", password });
  const of = { method: UserService.method.createUser, request: message, caller: { kind: "anonymous" } as const };
  return idempotencyKeyOf({ ...of, key: "k-1", clientAddress: "192.0.2.7", fingerprintKey: "f" });
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
    expect((await postJson(json, people.admin)).caller).toMatch(/^user:/);
  });

  it("is an account's own whatever its role is, and is looked for where version 0.1 stored it", async () => {
    const userId = "0197f000-0000-7000-8000-000000000001" as UserId;
    const scopes = (["CUSTOMER", "ADMIN"] as const).map((role) =>
      keyFor({ kind: "user", userId, role, sessionId: "session-1" }),
    );
    expect(scopes[0]).toEqual(scopes[1]);
    expect(scopes[0]).toMatchObject({
      caller: `user:${userId}`,
      earlier: { scopes: [`admin:${userId}`, `customer:${userId}`], fingerprint: undefined },
    });
    expect(keyFor({ kind: "service", name: "order" })).toMatchObject({ caller: "service:order" });
    expect(keyFor({ kind: "service", name: "order" }).earlier).toBeUndefined();
  });

  it("belongs to the address of a caller without a name, which cannot be read from what is stored", () => {
    const [one, same, other] = ["2001:db8::1", "2001:db8:0:0:1::", "192.0.2.7"].map((address) =>
      keyFor({ kind: "anonymous" }, address),
    );
    expect(one?.caller).toMatch(/^anonymous:[0-9a-f]{32}$/);
    expect(same?.caller).toBe(one?.caller);
    expect(other?.caller).not.toBe(one?.caller);
    expect(one?.earlier?.scopes).toEqual(["anonymous"]);
  });

  it("of a caller without a name is looked for where version 0.1 had those of all, and not kept there for strangers", () => {
    const key = keyFor({ kind: "anonymous" }, "192.0.2.7");
    expect(key.earlier).toEqual({ scopes: ["anonymous"], fingerprint: key.fingerprint });
  });

  it("has no fingerprint of a secret, and knows the one that version 0.1 made of it", () => {
    const [first, second] = ["correct horse battery", "another password"].map((password) => signUpKey(password));
    expect(first?.fingerprint).toBe(second?.fingerprint);
    expect(first?.earlier?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(first?.earlier?.fingerprint).not.toBe(second?.earlier?.fingerprint);
  });
});

describe("a call", () => {
  it("is safe to repeat where it changes nothing, or carries a key and can be done once", () => {
    const key = new Headers({ "idempotency-key": "k-1" });
    const none = new Headers();
    expect([getOrder, createOrder, cancelOrder, watchOrder].map((method) => isSafeToRetry(method, none))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([createOrder, cancelOrder].map((method) => isSafeToRetry(method, key))).toEqual([true, true]);
  });
});
