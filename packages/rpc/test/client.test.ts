import { create } from "@bufbuild/protobuf";
import { type GetOrderRequest, GetOrderResponseSchema, OrderService } from "@rialto/contracts";
import { DeadlinePassed, KeyInUse, KeyReused, QueueFull } from "@rialto/database";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  backgroundContext,
  type CallContext,
  CallError,
  type Client,
  createClient,
  type Handlers,
  isUnavailable,
  listen,
  reasonOf,
} from "../src/index.ts";
import { createFixture, errors, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";

let people: People;
const open: (() => Promise<void>)[] = [];

beforeAll(async () => {
  people = await createPeople();
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of open.splice(0)) await close();
});

type Orders = Client<typeof OrderService>;

/** The notification service's client of orders, with handlers of the test's own behind it. */
async function ordersWith(
  kind: "local" | "remote",
  handlers: Partial<Handlers<typeof OrderService>>,
  names: Parameters<typeof createClient>[2] = {
    caller: "notification",
    target: "order",
    tokens: people.notification,
    persons: people.persons,
  },
): Promise<{ orders: Orders; lines: Record<string, unknown>[] }> {
  const shop = createFixture(people, handlers);
  if (kind === "local") {
    return { orders: createClient(OrderService, { kind, endpoint: () => shop.endpoint }, names), lines: shop.lines };
  }
  const server = await listen({ endpoint: shop.endpoint, port: 0, host: "127.0.0.1" });
  open.push(server.close);
  const urls = [`http://127.0.0.1:${server.port}`];
  return { orders: createClient(OrderService, { kind, urls }, names), lines: shop.lines };
}

/** The tokens of people that services are shown from now on in this test. */
function recordTokens(): () => readonly string[] {
  const user = vi.spyOn(people.verifier, "user");
  return () => user.mock.calls.filter(([, service]) => service !== undefined).map(([token]) => token);
}

const reasonOfRefused = (work: Promise<unknown>) => work.then(() => undefined, reasonOf);
const failing = (error: unknown) => ({ getOrder: () => Promise.reject(error) });

async function caught(work: Promise<unknown>): Promise<CallError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CallError)) throw new Error("not a CallError", { cause: error });
  return error;
}

describe.each(["local", "remote"] as const)("a %s client", (kind) => {
  it("gives the answer as a message", async () => {
    const { orders } = await ordersWith(kind, { getOrder: async ({ id }) => ({ order: { id, version: 3 } }) });
    const { order } = await orders.getOrder({ id: orderId }, backgroundContext({}));
    expect(order).toMatchObject({ $typeName: "rialto.order.v1.Order", id: orderId, version: 3, items: [] });
  });

  it("hands on request id, trace and deadline, and no person's token", async () => {
    let seen: CallContext | undefined;
    const shown = recordTokens();
    const { orders } = await ordersWith(kind, {
      getOrder: async (_request, ctx) => {
        seen = ctx;
        return {};
      },
    });
    const caller = { kind: "user", ...(await people.verifier.user(people.customer)) } as const;
    const context = { ...backgroundContext({ timeoutMs: 2_000 }), userToken: people.customer, caller };
    await orders.getOrder({ id: orderId }, context);
    expect(seen).toMatchObject({ requestId: context.requestId, caller: { kind: "service", name: "notification" } });
    expect(shown()).toEqual([]);
    expect(seen?.traceparent.split("-")[1]).toBe(context.traceparent.split("-")[1]);
    // What was left travels, not the moment: the callee's clock starts anew when the call arrives.
    expect(+(seen?.deadline ?? 0) - +(seen?.now ?? 0)).toBeLessThanOrEqual(2_000);
  });

  it("of the gateway names the person whose call it is, to the service that it asks alone", async () => {
    const seen: CallContext[] = [];
    const shown = recordTokens();
    const handlers: Partial<Handlers<typeof OrderService>> = {
      getOrder: async (_request, ctx) => {
        seen.push(ctx);
        return {};
      },
    };
    const gateway = { caller: "gateway", target: "order", tokens: people.gateway, persons: people.persons };
    const { orders } = await ordersWith(kind, handlers, gateway);
    const caller = { kind: "user", ...(await people.verifier.user(people.admin)) } as const;
    await orders.getOrder({ id: orderId }, { ...backgroundContext({}), caller });
    expect(seen).toMatchObject([{ caller }]);
    expect(seen[0]?.userToken).toBeUndefined();
    // In one process nothing is signed.
    expect(shown()).toHaveLength(kind === "local" ? 0 : 1);
    for (const token of shown()) {
      expect(await people.verifier.user(token, "order")).toMatchObject({ role: "ADMIN" });
      expect(await reasonOfRefused(people.verifier.user(token))).toBe("TOKEN_INVALID");
    }
  });

  it("never waits longer than the work that it is part of", async () => {
    const deadlines: number[] = [];
    const { orders } = await ordersWith(kind, {
      getOrder: async (_request, ctx) => {
        deadlines.push(+(ctx.deadline ?? 0) - +ctx.now);
        return {};
      },
    });
    await orders.getOrder({ id: orderId }, backgroundContext({}));
    await orders.getOrder({ id: orderId }, backgroundContext({}), { timeoutMs: 3_500 });
    await orders.getOrder({ id: orderId }, backgroundContext({ timeoutMs: 1_500 }), { timeoutMs: 3_500 });
    const [byDefault = 0, asked = 0, shorter = 0] = deadlines;
    expect(byDefault).toBeLessThanOrEqual(5_000);
    expect(byDefault).toBeGreaterThan(3_500);
    expect(asked).toBeLessThanOrEqual(3_500);
    expect(asked).toBeGreaterThan(1_500);
    expect(shorter).toBeLessThanOrEqual(1_500);
  });

  it("gives up at the deadline, and tells the handler", async () => {
    const told = Promise.withResolvers<unknown>();
    const { orders } = await ordersWith(kind, {
      getOrder: (_request, ctx) =>
        new Promise(() => ctx.signal.addEventListener("abort", () => told.resolve(reasonOf(ctx.signal.reason)))),
    });
    const error = await caught(orders.getOrder({ id: orderId }, backgroundContext({}), { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: "deadline_exceeded", reason: "DEADLINE_PASSED" });
    // Over the network the client's hanging up may be seen before the deadline of the callee's own clock.
    expect(["DEADLINE_PASSED", undefined]).toContain(await told.promise);
  });

  it("does not call at all when the deadline has passed", async () => {
    let calls = 0;
    const { orders } = await ordersWith(kind, {
      getOrder: async () => {
        calls += 1;
        return {};
      },
    });
    const context = { ...backgroundContext({}), deadline: new Date(Date.now() - 1) };
    expect(await caught(orders.getOrder({ id: orderId }, context))).toMatchObject({ reason: "DEADLINE_PASSED" });
    expect(calls).toBe(0);
  });

  it("tells the handler that the caller went away", async () => {
    const began = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    const { orders } = await ordersWith(kind, {
      getOrder: (_request, ctx) => {
        ctx.signal.addEventListener("abort", () => told.resolve());
        began.resolve();
        return new Promise(() => undefined);
      },
    });
    const leaving = new AbortController();
    const call = caught(orders.getOrder({ id: orderId }, backgroundContext({ signal: leaving.signal })));
    await began.promise;
    leaving.abort();
    expect(await call).toMatchObject({ code: "canceled", reason: "" });
    await told.promise;
  });

  it("ends with the signal that is put into a context in place of its own", async () => {
    const began = Promise.withResolvers<void>();
    const { orders } = await ordersWith(kind, {
      getOrder: () => {
        began.resolve();
        return new Promise(() => undefined);
      },
    });
    const leaving = new AbortController();
    const call = caught(orders.getOrder({ id: orderId }, { ...backgroundContext({}), signal: leaving.signal }));
    await began.promise;
    leaving.abort();
    expect(await call).toMatchObject({ code: "canceled", reason: "" });
  });

  it("throws a refusal with its reason, fields and metadata", async () => {
    const refusal = new CallError(errors.PRODUCT_UNAVAILABLE, {
      fields: [{ field: "items[0].product_id", description: "is not on sale" }],
      metadata: { product_id: "p-1" },
    });
    const { orders } = await ordersWith(kind, failing(refusal));
    const error = await caught(orders.getOrder({ id: orderId }, backgroundContext({})));
    expect(reasonOf(error)).toBe("PRODUCT_UNAVAILABLE");
    expect(isUnavailable(error)).toBe(false);
    expect(error).toMatchObject({
      code: "failed_precondition",
      message: "A product is not on sale.",
      fields: [{ field: "items[0].product_id", description: "is not on sale" }],
      metadata: { product_id: "p-1" },
    });
  });

  it("names the fields and rules that its own request breaks", async () => {
    const { orders } = await ordersWith(kind, {});
    const error = await caught(orders.getOrder({ id: "7" }, backgroundContext({})));
    expect(error).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "id", description: "must be a valid UUID", rule: "string.uuid" }],
    });
  });

  it("learns nothing of a bug but that it is one; the log has the cause", async () => {
    const { orders, lines } = await ordersWith(kind, failing(new Error("select secret from 10.0.0.7")));
    const error = await caught(orders.getOrder({ id: orderId }, backgroundContext({})));
    expect(error).toMatchObject({ code: "internal", reason: "INTERNAL_ERROR" });
    expect(isUnavailable(error)).toBe(false);
    expect(`${error.message} ${JSON.stringify(error.metadata)} ${JSON.stringify(error.fields)}`).not.toMatch(
      /secret|10\./,
    );
    expect(lines).toMatchObject([{ level: "error", err: { message: expect.stringContaining("secret") } }]);
  });

  it.each([
    [new KeyReused(), "failed_precondition", "IDEMPOTENCY_KEY_REUSED", false],
    [new KeyInUse(), "aborted", "IDEMPOTENCY_KEY_IN_USE", true],
    [new QueueFull(1), "unavailable", "TEMPORARILY_UNAVAILABLE", true],
    [new DeadlinePassed(), "deadline_exceeded", "DEADLINE_PASSED", true],
    [Object.assign(new Error("gone"), { code: "ECONNREFUSED" }), "unavailable", "TEMPORARILY_UNAVAILABLE", true],
  ])("is told %s as %s", async (thrown, code, reason, passes) => {
    const { orders } = await ordersWith(kind, failing(thrown));
    const error = await caught(orders.getOrder({ id: orderId }, backgroundContext({})));
    expect(error).toMatchObject({ code, reason });
    expect(isUnavailable(error)).toBe(passes);
  });

  it("hears another service's refusal that the callee did not foresee as the callee's bug", async () => {
    const behind = new CallError({ message: "m", code: "not_found", reason: "USER_NOT_FOUND" }, { remote: true });
    const down = new CallError(
      { message: "m", code: "unavailable", reason: "TEMPORARILY_UNAVAILABLE" },
      { remote: true },
    );
    const { orders } = await ordersWith(kind, failing(behind));
    expect(reasonOf(await caught(orders.getOrder({ id: orderId }, backgroundContext({}))))).toBe("INTERNAL_ERROR");
    const { orders: others } = await ordersWith(kind, failing(down));
    expect(reasonOf(await caught(others.getOrder({ id: orderId }, backgroundContext({}))))).toBe(
      "TEMPORARILY_UNAVAILABLE",
    );
  });

  it("shares no message with the callee", async () => {
    const kept = create(GetOrderResponseSchema, { order: { id: orderId, version: 1 } });
    const requests: GetOrderRequest[] = [];
    const { orders } = await ordersWith(kind, {
      getOrder: async (request) => {
        requests.push(request);
        return kept;
      },
    });
    const { order } = await orders.getOrder({ id: orderId }, backgroundContext({}));
    if (order !== undefined) order.version = 99;
    if (requests[0] !== undefined) requests[0].id = "changed";
    expect(kept.order?.version).toBe(1);
    expect((await orders.getOrder({ id: orderId }, backgroundContext({}))).order?.version).toBe(1);
  });
});

describe.each(["local", "remote"] as const)("a %s stream", (kind) => {
  // Only people may watch orders: the stream goes through the door.
  async function watch(handler: Handlers<typeof OrderService>["watchOrder"]) {
    const shop = createFixture(people, { watchOrder: handler });
    const names = { caller: "gateway", target: "order", tokens: people.gateway };
    const context = { ...backgroundContext({}), userToken: people.customer };
    if (kind === "local") {
      const orders = createClient(OrderService, { kind, endpoint: () => shop.endpoint }, names);
      return { orders, context, lines: shop.lines };
    }
    const server = await listen({ endpoint: shop.endpoint, port: 0, host: "127.0.0.1" });
    open.push(server.close);
    const urls = [`http://127.0.0.1:${server.port}`];
    return { orders: createClient(OrderService, { kind, urls }, names), context, lines: shop.lines };
  }

  async function versionsOf(stream: AsyncIterable<{ order?: { version: number } | undefined }>, into: number[]) {
    for await (const { order } of stream) into.push(order?.version ?? -1);
  }

  it("ends where the handler ends it", async () => {
    const { orders, context, lines } = await watch(async function* () {
      for (const version of [1, 2, 3]) yield { order: { version } };
    });
    const versions: number[] = [];
    await versionsOf(orders.watchOrder({ id: orderId }, context), versions);
    expect(versions).toEqual([1, 2, 3]);
    expect(lines).toMatchObject([{ level: "debug" }]);
  });

  it("gives what came before a refusal, then the refusal", async () => {
    const { orders, context } = await watch(async function* () {
      yield { order: { version: 1 } };
      throw new CallError(errors.ORDER_NOT_FOUND);
    });
    const versions: number[] = [];
    const error = await caught(versionsOf(orders.watchOrder({ id: orderId }, context), versions));
    expect(versions).toEqual([1]);
    expect(error).toMatchObject({ code: "not_found", reason: "ORDER_NOT_FOUND" });
  });

  it("is refused before it begins", async () => {
    const { orders, context } = await watch(async function* () {
      yield { order: { version: 1 } };
    });
    const refused = (stream: AsyncIterable<object>) => caught(versionsOf(stream, []));
    expect(reasonOf(await refused(orders.watchOrder({ id: "7" }, context)))).toBe("INVALID_REQUEST");
    expect(reasonOf(await refused(orders.watchOrder({ id: orderId }, backgroundContext({}))))).toBe("CALLER_REQUIRED");
  });

  it("ends at its deadline, and tells the handler", async () => {
    const told = Promise.withResolvers<void>();
    const { orders, context } = await watch(async function* (_request, ctx) {
      ctx.signal.addEventListener("abort", () => told.resolve());
      yield { order: { version: 1 } };
      await new Promise(() => undefined);
    });
    const versions: number[] = [];
    const stream = orders.watchOrder({ id: orderId }, context, { timeoutMs: 2_000 });
    expect(await caught(versionsOf(stream, versions))).toMatchObject({ reason: "DEADLINE_PASSED" });
    expect(versions).toEqual([1]);
    await told.promise;
  });

  it("tells the handler when its reader leaves", async () => {
    const ended = Promise.withResolvers<void>();
    const { orders, context } = await watch(async function* (_request, ctx) {
      try {
        for (let version = 1; ; version += 1) {
          yield { order: { version } };
          await new Promise<void>((resolve) => {
            setTimeout(resolve, 5);
            ctx.signal.addEventListener("abort", () => resolve(), { once: true });
          });
        }
      } finally {
        ended.resolve();
      }
    });
    for await (const { order } of orders.watchOrder({ id: orderId }, context)) {
      if (order?.version === 3) break;
    }
    await ended.promise;
  });
});
