import { AuthService, OrderService, PaymentService, ProductService } from "@rialto/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFixture, internalService, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";
import { openTransports, type TestTransport } from "./transports.ts";

const { getOrder, createOrder, shipOrder } = OrderService.method;
const payment = {
  orderId,
  userId: orderId,
  amount: { currencyCode: "EUR", minorUnits: "1" },
  paymentMethod: "pm_test_approved",
};
const newOrder = { items: [{ productId: orderId, quantity: 2 }], paymentMethod: "pm_test_approved" };

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
  shop.calls.length = 0;
  shop.lines.length = 0;
});

const byteWays = ["by bytes", "over HTTP"] as const;
const wayNames = ["by message", ...byteWays] as const;
const as = (token: string) => ({ authorization: `Bearer ${token}` });

describe.each(wayNames)("a call %s", (name) => {
  const call: TestTransport = (...o) => opened.transports[name](...o);

  it("answers a customer", async () => {
    const result = await call(getOrder, { id: orderId }, as(people.customer));
    expect(result).toMatchObject({ code: "ok", answer: { order: { id: orderId, version: 1, userId: "" } } });
    expect(shop.calls[0]).toMatchObject({
      caller: { kind: "user", role: "CUSTOMER", sessionId: "session-1" },
    });
  });

  it("asks who calls where nobody in particular does", async () => {
    const result = await call(getOrder, { id: orderId }, {});
    expect(result).toMatchObject({ code: "unauthenticated", reason: "CALLER_REQUIRED" });
  });

  it("lets anybody call a public method", async () => {
    expect((await call(ProductService.method.listProducts, {}, {})).code).toBe("ok");
    expect((await call(ProductService.method.listProducts, {}, as(people.admin))).code).toBe("ok");
  });

  it("refuses a customer what is an admin's", async () => {
    const result = await call(shipOrder, { id: orderId }, as(people.customer));
    expect(result).toMatchObject({ code: "permission_denied", reason: "ACCESS_DENIED" });
    expect((await call(shipOrder, { id: orderId }, as(people.admin))).code).toBe("ok");
  });

  it("refuses every token that does not hold, for a public method too", async () => {
    for (const [what, token] of Object.entries(people.bad)) {
      for (const [method, request] of [
        [getOrder, { id: orderId }],
        [ProductService.method.listProducts, {}],
      ] as const) {
        const result = await call(method, request, as(token));
        expect(result, `a token ${what}`).toMatchObject({ code: "unauthenticated", reason: "TOKEN_INVALID" });
      }
    }
    const result = await call(getOrder, { id: orderId }, { authorization: "Basic YTpi" });
    expect(result).toMatchObject({ code: "unauthenticated", reason: "TOKEN_INVALID" });
    expect(shop.calls).toHaveLength(0);
  });

  it("lets in the service that the policy names, and no other", async () => {
    const { authorizePayment } = PaymentService.method;
    const order = { "rialto-service": await people.order.for("order") };
    const notification = { "rialto-service": await people.notification.for("order") };
    expect((await call(authorizePayment, payment, order)).code).toBe("ok");
    expect(shop.calls[0]?.caller).toEqual({ kind: "service", name: "order" });
    expect(await call(authorizePayment, payment, notification)).toMatchObject({ reason: "ACCESS_DENIED" });
    expect((await call(getOrder, { id: orderId }, notification)).code).toBe("ok");
    expect(await call(getOrder, { id: orderId }, order)).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  it("takes a service's calls as its own, whatever person's token stands beside", async () => {
    for (const token of [people.bad.expired, people.admin]) {
      const headers = { "rialto-service": await people.notification.for("order"), ...as(token) };
      expect((await call(getOrder, { id: orderId }, headers)).code).toBe("ok");
      expect(await call(shipOrder, { id: orderId }, headers)).toMatchObject({ reason: "ACCESS_DENIED" });
    }
    expect(shop.calls.map(({ caller }) => caller.kind)).toEqual(["service", "service"]);
  });

  it("takes the gateway's calls as those of the person whose token it passes on", async () => {
    const gateway = { "rialto-service": await people.gateway.for("order") };
    expect(await call(getOrder, { id: orderId }, gateway)).toMatchObject({ reason: "CALLER_REQUIRED" });
    expect((await call(getOrder, { id: orderId }, { ...gateway, ...as(people.customer) })).code).toBe("ok");
    expect(shop.calls[0]?.caller).toMatchObject({ kind: "user" });
  });

  it("takes as the gateway's own what it passes on for nobody, where the policy names it and no person", async () => {
    const gateway = { "rialto-service": await people.gateway.for("order") };
    const anonymous = { ...gateway, "rialto-client-address": "203.0.113.7" };
    const { listRevocations } = AuthService.method;
    expect((await call(listRevocations, {}, gateway)).code).toBe("ok");
    expect(shop.calls[0]?.caller).toEqual({ kind: "service", name: "gateway" });
    for (const passedOn of [anonymous, { ...gateway, ...as(people.customer) }, { ...gateway, ...as(people.admin) }]) {
      expect(await call(listRevocations, {}, passedOn)).toMatchObject({ reason: "METHOD_UNKNOWN" });
    }
    expect(await call(PaymentService.method.authorizePayment, payment, gateway)).toMatchObject({
      reason: "METHOD_UNKNOWN",
    });
    expect((await call(ProductService.method.listProducts, {}, gateway)).code).toBe("ok");
    expect(shop.calls[1]?.caller).toEqual({ kind: "anonymous" });
  });

  it("does not know a method that no person may call, nor one without a policy", async () => {
    const { authorizePayment } = PaymentService.method;
    const unknown = { code: "unimplemented", reason: "METHOD_UNKNOWN" };
    for (const headers of [{}, as(people.customer), as(people.admin)]) {
      expect(await call(authorizePayment, payment, headers)).toMatchObject(unknown);
    }
    const reach = internalService.methods[0];
    if (reach === undefined) throw new Error("no method");
    const order = { "rialto-service": await people.order.for("order") };
    for (const headers of [{}, as(people.admin), order]) expect(await call(reach, {}, headers)).toMatchObject(unknown);
  });

  it("shows another customer's order to nobody", async () => {
    const result = await call(getOrder, { id: orderId }, as(people.otherCustomer));
    expect(result).toMatchObject({ code: "not_found", reason: "ORDER_NOT_FOUND" });
    expect((await call(getOrder, { id: orderId }, as(people.admin))).code).toBe("ok");
  });

  it("names every field that breaks a rule, and the rule", async () => {
    const items = [
      { productId: "no uuid", quantity: 0 },
      { productId: orderId, quantity: 1001 },
    ];
    const result = await call(createOrder, { items }, as(people.customer));
    expect(result).toMatchObject({ code: "invalid_argument", reason: "INVALID_REQUEST" });
    expect(result.fields?.toSorted()).toEqual([
      "items[0].product_id string.uuid",
      "items[0].quantity int32.gte_lte",
      "items[1].quantity int32.gte_lte",
      "payment_method string.min_len",
    ]);
  });

  it("looks at the caller before it looks at the request", async () => {
    expect(await call(createOrder, {}, {})).toMatchObject({ reason: "CALLER_REQUIRED" });
    expect(await call(createOrder, {}, as(people.bad.forged))).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("looks at the request before it looks at the idempotency key", async () => {
    const headers = { ...as(people.customer), "idempotency-key": "has a space" };
    expect(await call(createOrder, {}, headers)).toMatchObject({ reason: "INVALID_REQUEST" });
    expect(await call(createOrder, newOrder, headers)).toMatchObject({
      code: "invalid_argument",
      reason: "IDEMPOTENCY_KEY_INVALID",
    });
  });

  it("gives a mutation its idempotency key, and nothing else", async () => {
    const headers = { ...as(people.customer), "idempotency-key": "k-1" };
    await call(createOrder, newOrder, headers);
    await call(getOrder, { id: orderId }, headers);
    await call(AuthService.method.login, { email: "a@example.com", password: "p" }, { "idempotency-key": "k-1" });
    expect(shop.calls.map((ctx) => ctx.idempotencyKey?.key)).toEqual(["k-1", undefined, undefined]);
    expect(shop.calls[0]?.idempotencyKey).toMatchObject({
      caller: "user:0197f000-0000-7000-8000-000000000001",
      method: "rialto.order.v1.OrderService/CreateOrder",
    });
  });

  it("takes a well-formed request id and trace, and makes them where there are none", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const given = { "x-request-id": "r-1", traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await call(getOrder, { id: orderId }, { ...as(people.customer), ...given });
    await call(getOrder, { id: orderId }, { ...as(people.customer), "x-request-id": "not one {}" });
    expect(shop.calls[0]).toMatchObject({ requestId: "r-1", traceparent: expect.stringContaining(traceId) });
    expect(shop.calls[1]?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(shop.lines.map((line) => line.requestId)).toEqual(["r-1", shop.calls[1]?.requestId]);
  });
});

describe.each(byteWays)("a call %s, which shows tokens,", (name) => {
  it("refuses every service's token that does not hold", async () => {
    for (const [what, token] of Object.entries(people.badService)) {
      const result = await opened.transports[name](PaymentService.method.authorizePayment, payment, {
        "rialto-service": token,
      });
      expect(result, `a token ${what}`).toMatchObject({ code: "unauthenticated", reason: "TOKEN_INVALID" });
    }
  });
});

describe.each(byteWays)("a call %s that does not come through the gateway", (name) => {
  it("is refused whoever makes it, and whatever they show of people", async () => {
    const direct = await openTransports(shop.direct, people.verifier);
    try {
      for (const headers of [{}, as(people.customer), as(people.admin), as(people.bad.forged)]) {
        for (const method of [getOrder, ProductService.method.listProducts]) {
          const result = await direct.transports[name](method, method === getOrder ? { id: orderId } : {}, headers);
          expect(result).toMatchObject({ code: "unauthenticated", reason: "GATEWAY_REQUIRED" });
        }
      }
      expect(shop.calls).toEqual([]);
    } finally {
      await direct.close();
    }
  });

  it("is refused with a gateway's token that is for another service", async () => {
    const headers = { "rialto-service": await people.gateway.for("payment"), ...as(people.customer) };
    const result = await opened.transports[name](getOrder, { id: orderId }, headers);
    expect(result).toMatchObject({ code: "unauthenticated", reason: "TOKEN_INVALID" });
  });
});

describe("the log of a call", () => {
  it("is one line: debug for an answer, info for a refusal", async () => {
    for (const name of wayNames) {
      shop.lines.length = 0;
      await opened.transports[name](getOrder, { id: orderId }, as(people.customer));
      await opened.transports[name](getOrder, { id: orderId }, {});
      const method = "rialto.order.v1.OrderService/GetOrder";
      expect(shop.lines).toMatchObject([
        { level: "debug", method, caller: "customer:0197f000-0000-7000-8000-000000000001" },
        { level: "info", method, code: "unauthenticated", reason: "CALLER_REQUIRED" },
      ]);
      expect(JSON.stringify(shop.lines)).not.toContain(people.customer);
    }
  });
});
