import { ServerResponse } from "node:http";
import { aboveBounds, countPerCall, openRawCaller, printCounts, type RawCaller } from "@rialto/counting";
import { openRateLimits } from "@rialto/service";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;

async function start(o: { readonly overNetwork?: boolean }): Promise<void> {
  const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
  const requestLimits = { store, requests: 1_000_000, windowSeconds: 900 };
  // Methods without a limit of their own: a refusal makes less.
  const order = async ({ id }: { readonly id: string }) => ({ order: { id } });
  const handlers = { deliverOrder: order, getOrder: order };
  system = await startStubSystem(handlers, { ...o, gateway: { requestLimits } });
}
afterEach(() => system.close());

/** Calls once more, and returns how many headers of responses were set by themselves, and not with their head. */
async function headersSetOneByOne(caller: RawCaller): Promise<number> {
  const setHeader = vi.spyOn(ServerResponse.prototype, "setHeader");
  expect(await caller.call()).toMatch(/^HTTP\/1.1 200 /);
  const { length } = setHeader.mock.calls;
  setHeader.mockRestore();
  return length;
}

// The bounds are what a request makes now, with a few promises more. Whoever makes it cheaper lowers them.
describe("a REST request to a service in this process", () => {
  it("with token, limit, policy, deadline and access line makes no signal, header object or signature", async () => {
    await start({});
    const port = Number(new URL(system.url).port);
    const caller = await openRawCaller({
      port,
      path: `/api/orders/${orderId}:deliver`,
      headers: { "content-type": "application/json", authorization: `Bearer ${await system.token("ADMIN")}` },
      body: "{}",
    });
    onTestFinished(caller.close);
    expect(await caller.call()).toMatch(/^HTTP\/1.1 200 /);
    const counts = await countPerCall(caller.call, { writesOf: ({ localPort }) => localPort === port });
    printCounts("REST in one process", counts);
    expect(await headersSetOneByOne(caller)).toBe(0);
    const bounds = { timers: 0, signals: 0, headers: 0, promises: 22, signatures: 0, verifications: 0, writes: 1 };
    expect(aboveBounds(counts, bounds)).toEqual({});
  });
});

describe("an RPC to a service over the network", () => {
  // The other path of the service makes more.
  beforeEach(() => vi.stubEnv("RIALTO_TEST_UNARY_PATH", "fast"));
  afterEach(() => vi.unstubAllEnvs());

  it("is forwarded without a signal, a header object or a signature, and answered in one write", async () => {
    await start({ overNetwork: true });
    const port = Number(new URL(system.url).port);
    const caller = await openRawCaller({
      port,
      path: "/rialto.order.v1.OrderService/GetOrder",
      headers: { "content-type": "application/json", authorization: `Bearer ${await system.token("CUSTOMER")}` },
      body: JSON.stringify({ id: orderId }),
    });
    onTestFinished(caller.close);
    expect(await caller.call()).toMatch(/^HTTP\/1.1 200 /);
    const counts = await countPerCall(caller.call, { writesOf: ({ localPort }) => localPort === port });
    printCounts("RPC forwarded, with the service's side", counts);
    expect(await headersSetOneByOne(caller)).toBe(0);
    const bounds = { timers: 0, signals: 0, headers: 0, promises: 25, signatures: 0, verifications: 0, writes: 1 };
    expect(aboveBounds(counts, bounds)).toEqual({});
  });
});
