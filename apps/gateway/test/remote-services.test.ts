import { connect as connectHttp2 } from "node:http2";
import { Order_Status } from "@rialto/contracts";
import type { CallContext } from "@rialto/rpc";
import { openRateLimits } from "@rialto/service";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { envelope, envelopes, orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
let authorization: string;

beforeEach(async () => {
  system = await startStubSystem(
    {
      async getOrder({ id }) {
        return { order: { id, status: Order_Status.PENDING } };
      },
      async *watchOrder({ id }, ctx) {
        yield { order: { id, status: Order_Status.PENDING } };
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      },
    },
    { overNetwork: true },
  );
  authorization = `Bearer ${await system.token("CUSTOMER")}`;
});
afterEach(() => system.close());

describe("services in other processes", () => {
  it("answer REST and Connect alike", async () => {
    const overRest = await fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization } });
    const overConnect = await fetch(`${system.url}/rialto.order.v1.OrderService/GetOrder`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ id: orderId }),
    });
    expect(await overConnect.json()).toEqual({ order: await overRest.json() });
  });

  it("that are down are UNAVAILABLE, without their address", async () => {
    await system.stopServices();
    const response = await fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization } });
    const text = await response.text();
    expect(response.status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ code: 14, details: [{ reason: "TEMPORARILY_UNAVAILABLE" }] });
    expect(text).not.toMatch(/127\.0\.0\.1|ECONNREFUSED/);
    expect(system.lines).toContainEqual(expect.objectContaining({ msg: "service unavailable" }));
  });

  it("that end a stream while they stop send its reader an error", async () => {
    const response = await fetch(`${system.url}/rialto.order.v1.OrderService/WatchOrder`, {
      method: "POST",
      headers: { authorization, "content-type": "application/connect+json" },
      body: envelope({ id: orderId }),
    });
    if (response.body === null) throw new Error("no body");
    const seen: unknown[] = [];
    for await (const one of envelopes(response.body)) {
      seen.push(one);
      if (seen.length === 1) void system.stopServices();
    }
    expect(seen).toMatchObject([
      { message: { order: { status: "PENDING" } } },
      { flags: 2, message: { error: { code: "unavailable" } } },
    ]);
  });

  it("see a stream end when the gateway closes", async () => {
    const response = await fetch(`${system.url}/rialto.order.v1.OrderService/WatchOrder`, {
      method: "POST",
      headers: { authorization, "content-type": "application/connect+json" },
      body: envelope({ id: orderId }),
    });
    if (response.body === null) throw new Error("no body");
    const seen: unknown[] = [];
    for await (const one of envelopes(response.body)) {
      seen.push(one);
      if (seen.length === 1) void system.close();
    }
    expect(seen.at(-1)).toMatchObject({ flags: 2, message: { error: { code: "unavailable" } } });
    await expect.poll(() => system.calls.at(-1)?.signal.aborted).toBe(true);
  });
});

describe("hundreds of watches", () => {
  it("keep no other call to their service waiting", async () => {
    const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
    const unlimited = { requestLimits: { store, requests: 0, windowSeconds: 1 } };
    const handlers = {
      getOrder: async ({ id }: { id: string }) => ({ order: { id } }),
      async *watchOrder({ id }: { id: string }, ctx: CallContext) {
        yield { order: { id } };
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      },
    };
    await system.close();
    system = await startStubSystem(handlers, { overNetwork: true, gateway: unlimited });
    authorization = `Bearer ${await system.token("CUSTOMER")}`;
    const sessions = Array.from({ length: 3 }, () => connectHttp2(system.url));
    const head = { ":method": "POST", ":path": "/rialto.order.v1.OrderService/WatchOrder", authorization };
    const watches = sessions.flatMap((session) =>
      Array.from({ length: 100 }, async () => {
        const stream = session.request({ ...head, "content-type": "application/connect+json" });
        stream.on("error", () => undefined);
        stream.end(envelope({ id: orderId }));
        return new Promise((resolve) => stream.once("data", resolve));
      }),
    );
    await Promise.all(watches);
    const answer = await fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization } });
    expect(answer.status).toBe(200);
    for (const session of sessions) session.destroy();
    await store.close();
  });
});
