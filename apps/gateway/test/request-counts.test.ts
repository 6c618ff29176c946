import { request as requestOver } from "node:http";
import { openRateLimits } from "@rialto/service";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
let authorization: string;

beforeEach(async () => {
  const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
  const requestLimits = { store, requests: 1_000, windowSeconds: 900 };
  system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) }, { gateway: { requestLimits } });
  authorization = `Bearer ${await system.token("CUSTOMER")}`;
});
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await system.close();
});

/** Asks without `fetch`, which makes signals and headers of its own. */
function ask(method: string, path: string, body?: string): Promise<number> {
  const headers = { authorization, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const asked = requestOver(`${system.url}${path}`, { method, headers }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    asked.once("error", reject).end(body);
  });
}

/** Counts what is made while requests are answered, after others have warmed every cache up. */
async function count(send: () => Promise<number>) {
  const made = { signals: 0, headers: 0, timers: 0 };
  for (let turn = 0; turn < 3; turn += 1) expect(await send()).toBe(200);
  const { AbortController, Headers } = globalThis;
  vi.stubGlobal(
    "AbortController",
    class extends AbortController {
      constructor() {
        super();
        made.signals += 1;
      }
    },
  );
  vi.stubGlobal(
    "Headers",
    class extends Headers {
      constructor(...given: ConstructorParameters<typeof Headers>) {
        super(...given);
        made.headers += 1;
      }
    },
  );
  const anySignal = vi.spyOn(AbortSignal, "any");
  const timers = vi.spyOn(globalThis, "setTimeout");
  for (let turn = 0; turn < 5; turn += 1) expect(await send()).toBe(200);
  return { ...made, signals: made.signals + anySignal.mock.calls.length, timers: timers.mock.calls.length };
}

describe("a REST request to a service in this process", () => {
  it("makes no signal, no header object and no timer, where nothing waits", async () => {
    expect(await count(() => ask("GET", `/api/orders/${orderId}`))).toEqual({ signals: 0, headers: 0, timers: 0 });
  });

  it("makes none for a body that comes with its head either", async () => {
    const cancel = () => ask("POST", `/api/orders/${orderId}:cancel`, "{}");
    expect(await count(cancel)).toEqual({ signals: 0, headers: 0, timers: 0 });
  });
});
