import { Order_Status } from "@rialto/contracts";
import { type CallContext, CallError, callErrors } from "@rialto/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { customerId, orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

describe.each([
  ["in this process", false],
  ["in another process", true],
])("a REST request to a service %s", (_, overNetwork) => {
  let system: StubSystem;
  let authorization: string;
  let answer: (id: string, ctx: CallContext) => Promise<object>;

  beforeEach(async () => {
    answer = async (id) => ({ order: { id } });
    system = await startStubSystem(
      {
        getOrder: ({ id }, ctx) => answer(id, ctx),
        cancelOrder: async ({ id }, ctx) => answer(id, ctx),
      },
      { overNetwork },
    );
    authorization = `Bearer ${await system.token("CUSTOMER")}`;
  });
  afterEach(() => system.close());

  async function rest(method: string, path: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${system.url}${path}`, { method, headers: { authorization, ...headers } });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }
  const get = (headers?: Record<string, string>) => rest("GET", `/api/orders/${orderId}`, headers);
  const call = () => {
    const last = system.calls.at(-1);
    if (last === undefined) throw new Error("no call reached the service");
    return last;
  };

  it("tells it who calls, from where, in which trace, with the id and the key of the request", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const { status, headers } = await rest("POST", `/api/orders/${orderId}:cancel`, {
      "x-request-id": "mine",
      "idempotency-key": "key-1",
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    });
    expect([status, headers.get("x-request-id")]).toEqual([200, "mine"]);
    expect(call()).toMatchObject({
      caller: { kind: "user", userId: customerId, role: "CUSTOMER", sessionId: "session-1" },
      clientAddress: "127.0.0.1",
      requestId: "mine",
      traceparent: expect.stringContaining(traceId),
      idempotencyKey: { key: "key-1", caller: `user:${customerId}` },
    });
  });

  it("has the client's timeout", async () => {
    answer = (_id, ctx) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal)));
    const { status, text } = await get({ "connect-timeout-ms": "100" });
    expect([status, JSON.parse(text)]).toMatchObject([504, { code: 4, details: [{ reason: "DEADLINE_PASSED" }] }]);
    expect((await get({ "connect-timeout-ms": "soon" })).status).toBe(400);
  });

  it("ends with its client", async () => {
    const begun = Promise.withResolvers<void>();
    answer = async (_id, ctx) => {
      begun.resolve();
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      return {};
    };
    const client = new AbortController();
    const path = `${system.url}/api/orders/${orderId}`;
    const asked = fetch(path, { headers: { authorization }, signal: client.signal }).catch(() => undefined);
    await begun.promise;
    client.abort();
    await asked;
    await expect.poll(() => call().signal.aborted).toBe(true);
    await expect.poll(() => system.lines.at(-1)).toMatchObject({ status: 499, code: "canceled" });
  });

  it("is answered as its service answers: enums by name, every field, HEAD without a body", async () => {
    answer = async (id) => ({ order: { id, status: Order_Status.CONFIRMED } });
    const { text, headers } = await get();
    expect(JSON.parse(text)).toMatchObject({ id: orderId, status: "CONFIRMED", items: [], version: 0 });
    const head = await rest("HEAD", `/api/orders/${orderId}`);
    expect([head.text, head.headers.get("content-length")]).toEqual(["", headers.get("content-length")]);
  });

  it("is refused as its service refuses: code, reason, message, fields, metadata, when to try again", async () => {
    answer = async () => {
      throw new CallError(callErrors.RATE_LIMITED, {
        message: "Not so fast.",
        fields: [{ field: "id", description: "is asked for too often", rule: "order.pace" }],
        metadata: { retry_after_seconds: "7", shop: "main" },
      });
    };
    const { status, headers, text } = await get();
    expect([status, headers.get("retry-after")]).toEqual([429, "7"]);
    expect(JSON.parse(text)).toMatchObject({
      code: 8,
      message: "Not so fast.",
      details: [
        { reason: "RATE_LIMITED", domain: "rialto", metadata: { retry_after_seconds: "7", shop: "main" } },
        { fieldViolations: [{ field: "id", description: "is asked for too often [order.pace]" }] },
      ],
    });
  });

  it.each([
    ["that no message may hold", () => ({ order: { id: orderId, version: 2 ** 40 } })],
    ["that is larger than any message", () => ({ order: { id: "x".repeat(5 * 1024 * 1024) } })],
  ])("is answered INTERNAL_ERROR for an answer %s", async (_what, made) => {
    answer = async () => made();
    const { status, text } = await get();
    expect([status, JSON.parse(text)]).toMatchObject([500, { code: 13, details: [{ reason: "INTERNAL_ERROR" }] }]);
    expect(text.length).toBeLessThan(1_000);
    expect(system.lines).toContainEqual(expect.objectContaining({ msg: "request failed" }));
  });
});
