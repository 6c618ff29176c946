import { aboveBounds, countPerCall, openRawCaller, printCounts } from "@rialto/counting";
import { openRateLimits } from "@rialto/service";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;

beforeEach(async () => {
  const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
  const requestLimits = { store, requests: 1_000_000, windowSeconds: 900 };
  system = await startStubSystem(
    { cancelOrder: async ({ id }) => ({ order: { id } }) },
    { gateway: { requestLimits } },
  );
});
afterEach(() => system.close());

// The bounds are what a request makes now, with a few promises more. Whoever makes it cheaper lowers them. One timer is
// Node's own, of a connection that is idle.
describe("a REST request to a service in this process", () => {
  it("with token, limit, policy, deadline and access line makes no signal, header object or signature", async () => {
    const port = Number(new URL(system.url).port);
    const caller = await openRawCaller({
      port,
      path: `/api/orders/${orderId}:cancel`,
      headers: { "content-type": "application/json", authorization: `Bearer ${await system.token("CUSTOMER")}` },
      body: "{}",
    });
    onTestFinished(caller.close);
    expect(await caller.call()).toMatch(/^HTTP\/1.1 200 /);
    const counts = await countPerCall(caller.call, { writesOf: ({ localPort }) => localPort === port });
    printCounts("REST in one process", counts);
    const bounds = { timers: 1, signals: 0, headers: 0, promises: 34, signatures: 0, verifications: 0, writes: 1 };
    expect(aboveBounds(counts, bounds)).toEqual({});
  });
});
