import { OrderService } from "@rialto/contracts";
import { aboveBounds, countPerCall, openRawCaller, printCounts } from "@rialto/counting";
import { createLogger, type Tracing } from "@rialto/telemetry";
import { recordSpans } from "@rialto/telemetry/testing";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  backgroundContext,
  createClient,
  createEndpoint,
  type Endpoint,
  listen,
  type PropagatedContext,
  serviceTokenHeader,
} from "../src/index.ts";
import { orderId, some } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";

let people: People;
beforeAll(async () => {
  people = await createPeople();
  // The other path makes more.
  vi.stubEnv("RIALTO_TEST_UNARY_PATH", "fast");
});

/** The order service with a log as production has it: one line a call, which goes nowhere. */
function createOrders(tracing?: Tracing): Endpoint {
  return createEndpoint({
    service: "order",
    tracing,
    verifier: people.verifier,
    fingerprintKey: "secret",
    log: createLogger({ service: "order", level: "info", destination: { write: () => undefined } }),
    routes: [some(OrderService, { getOrder: async ({ id }) => ({ order: { id, version: 1 } }) })],
  });
}

async function listening(): Promise<number> {
  const server = await listen({ endpoint: createOrders(), port: 0, host: "127.0.0.1" });
  onTestFinished(() => server.close());
  return server.port;
}

const context = (): PropagatedContext => backgroundContext({ timeoutMs: 600_000 });

// The bounds are what a call makes now; for promises a little more, since those of Node differ between its versions.
// Whoever makes calls cheaper lowers them.
describe("a unary call", () => {
  it("to a service over HTTP, with token, policy, deadline, validation and log line, makes few objects", async () => {
    const port = await listening();
    const caller = await openRawCaller({
      port,
      path: "/rialto.order.v1.OrderService/GetOrder",
      headers: {
        "content-type": "application/proto",
        "connect-timeout-ms": "5000",
        [serviceTokenHeader]: await people.notification.for("order"),
      },
      body: Buffer.concat([Uint8Array.of(10, orderId.length), Buffer.from(orderId)]),
    });
    onTestFinished(caller.close);
    expect(await caller.call()).toMatch(/^HTTP\/1.1 200 /);
    const counts = await countPerCall(caller.call, { writesOf: ({ localPort }) => localPort === port });
    printCounts("a service over HTTP", counts);
    const bounds = { timers: 0, signals: 0, headers: 0, promises: 16, signatures: 0, verifications: 0, writes: 1 };
    expect(aboveBounds(counts, bounds)).toEqual({});
  });

  it("from a client to another process, with the server's side, makes few objects", async () => {
    const urls = [`http://127.0.0.1:${await listening()}`];
    const orders = createClient(
      OrderService,
      { kind: "remote", urls },
      {
        caller: "notification",
        target: "order",
        tokens: people.notification,
      },
    );
    const ctx = context();
    const counts = await countPerCall(() => orders.getOrder({ id: orderId }, ctx));
    printCounts("a client and a service", counts);
    const bounds = { timers: 0, signals: 0, headers: 0, promises: 25, signatures: 0, verifications: 0, writes: 2 };
    expect(aboveBounds(counts, bounds)).toEqual({});
  });

  it("in one process makes no headers, timers or signals, and asks for no token", async () => {
    const endpoint = createOrders();
    let tokensAsked = 0;
    const tokens = {
      for: (target: string) => {
        tokensAsked += 1;
        return people.notification.for(target);
      },
    };
    const orders = createClient(
      OrderService,
      { kind: "local", endpoint: () => endpoint },
      { caller: "notification", target: "order", tokens },
    );
    const ctx = context();
    const counts = await countPerCall(() => orders.getOrder({ id: orderId }, ctx));
    printCounts("in one process", counts);
    const bounds = { timers: 0, signals: 0, headers: 0, promises: 12, signatures: 0, verifications: 0, writes: 0 };
    expect(aboveBounds(counts, bounds)).toEqual({});
    expect(tokensAsked).toBe(0);
  });

  it("whose trace is not recorded makes no more than one that is not traced, no attributes, and no span", async () => {
    const { tracing, spans } = recordSpans({ ratio: 0 });
    let asked = 0;
    const endpoint = createOrders({
      ...tracing,
      begin: (name, o) =>
        tracing.begin(name, {
          ...o,
          start() {
            asked += 1;
            return o.start?.() ?? {};
          },
        }),
    });
    const orders = createClient(
      OrderService,
      { kind: "local", endpoint: () => endpoint },
      { caller: "notification", target: "order", tokens: people.notification },
    );
    const ctx = context();
    const counts = await countPerCall(() => orders.getOrder({ id: orderId }, ctx));
    printCounts("in one process, not recorded", counts);
    const bounds = { timers: 0, signals: 0, headers: 0, promises: 12, signatures: 0, verifications: 0, writes: 0 };
    expect(aboveBounds(counts, bounds)).toEqual({});
    expect({ asked, spans: spans() }).toEqual({ asked: 0, spans: [] });
  });
});
