import { Order_Status } from "@rialto/contracts";
import { CallError, callErrors } from "@rialto/rpc";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { customerId, orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
let customer: string;

beforeAll(async () => {
  system = await startStubSystem({
    async getOrder({ id }) {
      if (id.endsWith("bb")) throw new CallError(callErrors.RATE_LIMITED, { metadata: { retry_after_seconds: "7" } });
      if (id !== orderId) throw new CallError(callErrors.CHANGED_MEANWHILE, { metadata: { order_id: id } });
      const total = { currencyCode: "EUR", minorUnits: 9007199254740993n };
      return { order: { id, userId: customerId, status: Order_Status.CONFIRMED, total } };
    },
    async listOrders({ pageSize, status }) {
      return { orders: [], nextPageToken: `${pageSize}/${Order_Status[status]}` };
    },
    async createOrder({ items, paymentMethod }) {
      if (paymentMethod === "defect") throw new Error("select * from secrets at 10.0.0.7");
      return {
        order: { id: orderId, items: items.map(({ productId, quantity }) => ({ productId, quantity, name: "Cup" })) },
      };
    },
  });
  customer = `Bearer ${await system.token("CUSTOMER")}`;
});
afterAll(() => system.close());
beforeEach(() => {
  system.lines.length = 0;
  system.calls.length = 0;
});

function connect(method: string, request: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${system.url}/rialto.order.v1.OrderService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: customer, ...headers },
    body: JSON.stringify(request),
  });
}

function rest(
  httpMethod: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(system.url + path, {
    method: httpMethod,
    headers: {
      authorization: customer,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

async function orderOf(response: Response): Promise<unknown> {
  const answer: unknown = await response.json();
  return typeof answer === "object" && answer !== null && "order" in answer ? answer.order : undefined;
}

describe("the same order over REST and over Connect", () => {
  it("is the same JSON, with int64 as text and enums by name", async () => {
    const overConnect = await orderOf(await connect("GetOrder", { id: orderId }));
    const overRest = await rest("GET", `/api/orders/${orderId}`);
    expect(overRest.status).toBe(200);
    expect(overRest.headers.get("content-type")).toBe("application/json");
    expect(await overRest.json()).toEqual(overConnect);
    expect(overConnect).toMatchObject({ status: "CONFIRMED", total: { minorUnits: "9007199254740993" } });
  });

  it("is read with GET and its message in the query too", async () => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify({ id: orderId }) });
    const response = await rest("GET", `/rialto.order.v1.OrderService/GetOrder?${query}`);
    expect(await response.json()).toMatchObject({ order: { id: orderId } });
  });

  it("is placed by either, with what the body says", async () => {
    const request = { items: [{ product_id: orderId, quantity: 2 }], payment_method: "pm_test_approved" };
    const overConnect = await orderOf(await connect("CreateOrder", request));
    const overRest: unknown = await (await rest("POST", "/api/orders", JSON.stringify(request))).json();
    expect(overRest).toEqual(overConnect);
    expect(overRest).toMatchObject({ items: [{ productId: orderId, quantity: 2, name: "Cup" }] });
  });

  it("is listed with the query's filter", async () => {
    const response = await rest("GET", "/api/orders?page_size=7&status=SHIPPED");
    expect(await response.json()).toMatchObject({ nextPageToken: "7/SHIPPED" });
  });

  it("is answered without a body to HEAD", async () => {
    const response = await rest("HEAD", `/api/orders/${orderId}`);
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});

describe("what a service receives", () => {
  it("is who calls, by the gateway's own token and the customer's", async () => {
    await rest("GET", `/api/orders/${orderId}`);
    expect(system.calls[0]?.caller).toEqual({
      kind: "user",
      userId: customerId,
      role: "CUSTOMER",
      sessionId: "session-1",
    });
  });

  it("never includes what a client says of itself inside", async () => {
    await rest("GET", `/api/orders/${orderId}`, undefined, {
      "rialto-service": "forged",
      "rialto-user": "somebody",
      cookie: "a=b",
      "x-forwarded-for": "10.0.0.1",
    });
    const sent = system.sent.at(-1)?.headers;
    const headers = [...(sent?.keys() ?? [])];
    expect(headers).not.toContain("rialto-user");
    expect(headers).not.toContain("cookie");
    expect(headers).not.toContain("x-forwarded-for");
    expect(sent?.get("rialto-service")).not.toBe("forged");
  });

  it("includes the idempotency key, the request id and the trace", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const response = await rest(
      "POST",
      "/api/orders",
      '{"items":[{"productId":"01900000-0000-7000-8000-00000000000b","quantity":1}],"paymentMethod":"x"}',
      {
        "idempotency-key": "key-1",
        "x-request-id": "request-1",
        traceparent,
      },
    );
    expect(response.status).toBe(200);
    expect(response.headers.get("x-request-id")).toBe("request-1");
    const [call] = system.calls;
    expect(call?.requestId).toBe("request-1");
    expect(call?.idempotencyKey?.key).toBe("key-1");
    expect(call?.traceparent).toContain("0af7651916cd43dd8448eb211c80319c");
    expect(call?.traceparent).not.toBe(traceparent);
  });

  it("has a request id that the gateway made where the client's is not well-formed", async () => {
    const response = await rest("GET", `/api/orders/${orderId}`, undefined, { "x-request-id": "a b" });
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(system.calls[0]?.requestId).toBe(response.headers.get("x-request-id"));
  });
});

describe("an error", () => {
  it("of a service is google.rpc.Status over REST, with the reason and the HTTP status of its code", async () => {
    const response = await rest("GET", `/api/orders/${customerId}`);
    expect(response.status).toBe(409);
    expect(await response.json()).toEqual({
      code: 10,
      message: callErrors.CHANGED_MEANWHILE.message,
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "CHANGED_MEANWHILE",
          domain: "rialto",
          metadata: { order_id: customerId },
        },
      ],
    });
  });

  it("that is temporary says when to try again, over REST and over Connect", async () => {
    const id = "01900000-0000-7000-8000-0000000000bb";
    const [overRest, overConnect] = [await rest("GET", `/api/orders/${id}`), await connect("GetOrder", { id })];
    for (const { status, headers } of [overRest, overConnect])
      expect([status, headers.get("retry-after")]).toEqual([429, "7"]);
  });

  it("of validation names the field", async () => {
    const response = await rest("GET", "/api/orders/not-a-uuid");
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 3,
      details: [
        { reason: "INVALID_REQUEST" },
        { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field: "id" }] },
      ],
    });
  });

  it("that is unexpected reveals nothing of its cause", async () => {
    const body =
      '{"items":[{"productId":"01900000-0000-7000-8000-00000000000b","quantity":1}],"paymentMethod":"defect"}';
    const response = await rest("POST", "/api/orders", body);
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).not.toMatch(/secrets|10\.0\.0\.7/);
    expect(JSON.parse(text)).toMatchObject({ code: 13, details: [{ reason: "INTERNAL_ERROR" }] });
  });

  it.each([
    ["GET", "/api/nothing", undefined, {}, 404],
    ["DELETE", "/api/orders", undefined, {}, 405],
    ["POST", "/api/orders", "{", {}, 400],
    ["POST", "/api/orders", "a=b", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["POST", "/rialto.order.v1.OrderService/GetOrder", "{}", { "content-type": "text/plain" }, 415],
    ["PUT", "/rialto.order.v1.OrderService/GetOrder", "{}", {}, 405],
    ["GET", "/api/orders?colour=red", undefined, {}, 400],
  ] as const)("of the request itself: %s %s", async (httpMethod, path, body, headers, status) => {
    const response = await rest(httpMethod, path, body, headers);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-request-id")).toBeTruthy();
    if (status === 405) expect(response.headers.get("allow")).toMatch(/GET/);
  });

  it("without a token says how to send one", async () => {
    const response = await fetch(`${system.url}/api/orders`);
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  });

  it("of a body that is too large is 413, with and without a content length", async () => {
    const big = JSON.stringify({ paymentMethod: "x".repeat(1024 * 1024) });
    expect((await rest("POST", "/api/orders", big)).status).toBe(413);
    const chunks = new Blob([big]).stream();
    const response = await fetch(`${system.url}/api/orders`, {
      method: "POST",
      headers: { authorization: customer, "content-type": "application/json" },
      body: chunks,
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(413);
  });
});

describe("the access log", () => {
  it("has one line a request, without ids, queries, bodies or tokens", async () => {
    // The line of an earlier test's request may come later than the response to it.
    const requestId = "access-log";
    const own = () => system.lines.filter((line) => line.requestId === requestId);
    await rest("GET", `/api/orders/${orderId}?page_token=secret-token`, undefined, { "x-request-id": requestId });
    await rest("GET", "/api/orders?page_token=secret-token", undefined, { "x-request-id": requestId });
    await connect("GetOrder", { id: customerId }, { "x-request-id": requestId });
    await expect.poll(() => own().length).toBe(3);
    expect(own()).toMatchObject([
      { method: "GET", route: "/api/orders/{id}", status: 400, code: "invalid_argument", caller: "customer" },
      { method: "GET", route: "/api/orders", status: 200, code: "ok", caller: "customer" },
      {
        method: "POST",
        route: "/rialto.order.v1.OrderService/GetOrder",
        status: 409,
        code: "aborted",
        caller: "customer",
      },
    ]);
    for (const line of own()) {
      expect(line).toMatchObject({
        traceId: expect.any(String),
        ms: expect.any(Number),
      });
      expect(JSON.stringify(line)).not.toMatch(/secret-token|eyJ/);
    }
  });
});

describe("/health", () => {
  it("says that the gateway lives", async () => {
    const response = await fetch(`${system.url}/health`);
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
  });
});
