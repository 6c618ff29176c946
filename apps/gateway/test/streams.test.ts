import { Order_Status } from "@rialto/contracts";
import { CallError, callErrors } from "@rialto/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { envelope, envelopes, orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

async function watch(o: { authorization?: string; signal?: AbortSignal } = {}): Promise<Response> {
  return fetch(`${system.url}/rialto.order.v1.OrderService/WatchOrder`, {
    method: "POST",
    headers: {
      "content-type": "application/connect+json",
      authorization: o.authorization ?? `Bearer ${await system.token("CUSTOMER")}`,
    },
    body: envelope({ id: orderId }),
    signal: o.signal ?? null,
  });
}

function bodyOf(response: Response): AsyncIterable<Uint8Array> {
  if (response.body === null) throw new Error("no body");
  return response.body;
}

async function all(response: Response): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const one of envelopes(bodyOf(response))) seen.push(one);
  return seen;
}

describe("a stream through the gateway", () => {
  it("brings each message as it is sent, and ends when the service ends it", async () => {
    const seen = Promise.withResolvers<void>();
    system = await startStubSystem({
      async *watchOrder({ id }) {
        yield { order: { id, status: Order_Status.PENDING } };
        // The second message is sent only after the first has arrived.
        await seen.promise;
        yield { order: { id, status: Order_Status.CONFIRMED } };
      },
    });
    const messages: unknown[] = [];
    for await (const { message } of envelopes(bodyOf(await watch()))) {
      messages.push(message);
      seen.resolve();
    }
    expect(messages).toMatchObject([{ order: { status: "PENDING" } }, { order: { status: "CONFIRMED" } }, {}]);
  });

  it("is cancelled in the service when the client goes away", async () => {
    const cancelled = Promise.withResolvers<void>();
    system = await startStubSystem({
      async *watchOrder({ id }, ctx) {
        ctx.signal.addEventListener("abort", () => cancelled.resolve());
        yield { order: { id } };
        await cancelled.promise;
      },
    });
    const leave = new AbortController();
    const response = await watch({ signal: leave.signal });
    for await (const _ of envelopes(bodyOf(response))) break;
    leave.abort();
    await cancelled.promise;
    await expect.poll(() => system.lines.at(-1)).toMatchObject({ status: 499, code: "canceled" });
  });

  it("carries the service's refusal in its last envelope", async () => {
    system = await startStubSystem({
      // biome-ignore lint/correctness/useYield: it refuses before its first message.
      async *watchOrder() {
        throw new CallError(callErrors.CHANGED_MEANWHILE);
      },
    });
    const last = await all(await watch());
    expect(last).toMatchObject([{ flags: 2, message: { error: { code: "aborted" } } }]);
  });

  it("carries the gateway's own refusal there too, with HTTP 200", async () => {
    system = await startStubSystem();
    const response = await watch({ authorization: "Bearer nonsense" });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/connect+json"]);
    expect(await all(response)).toMatchObject([{ flags: 2, message: { error: { code: "unauthenticated" } } }]);
  });
});

describe("closing the gateway", () => {
  it("lets a request in flight end", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    system = await startStubSystem({
      async getOrder({ id }) {
        begun.resolve();
        await go.promise;
        return { order: { id } };
      },
    });
    const authorization = `Bearer ${await system.token("CUSTOMER")}`;
    const answer = fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization } });
    await begun.promise;
    const closed = system.close();
    go.resolve();
    expect((await answer).status).toBe(200);
    await closed;
  });
});
