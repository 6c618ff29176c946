import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  DeadLetterService,
  ListDeadLettersResponseSchema,
  ListSubscriptionsResponseSchema,
  RemoveSubscriptionResponseSchema,
  RetryAllDeadLettersResponseSchema,
  SubscriptionService,
} from "@rialto/contracts";
import { backgroundContext, CallError, createClient, nextPageToken, reasonOf, type UserId } from "@rialto/rpc";
import { createLogger } from "@rialto/telemetry";
import { describe, expect, it } from "vitest";
import type { EventBackend } from "../src/admin/backends.ts";
import { createEventAdminApi } from "../src/admin/event-admin-api.ts";

const log = createLogger({ service: "gateway", level: "silent" });
const origin = { ...backgroundContext({ timeoutMs: 5_000 }), userToken: "an-admins" };

function failing(reason: string, code: CallError["code"]): () => Promise<never> {
  return () => Promise.reject(new CallError({ message: reason, code, reason }, { remote: true }));
}
const unknown = failing("SUBSCRIPTION_NOT_FOUND", "not_found");
const down = failing("TEMPORARILY_UNAVAILABLE", "unavailable");

/** A service with the test's responses. For all else it knows no such subscription. */
function backend(
  service: string,
  answers: Readonly<
    Record<string, (request: { name?: string; pageToken?: string; pageSize?: number }) => Promise<unknown>>
  >,
): EventBackend {
  const client = new Proxy({}, { get: (_target, method) => answers[String(method)] ?? answers.any ?? unknown });
  // Every method that the event admin API calls is there: the proxy answers any name.
  return { service, deadLetters: client, subscriptions: client } as EventBackend;
}

function clientsOf(...backends: EventBackend[]) {
  const endpoint = createEventAdminApi({
    backends,
    verifier: {
      user: async () => ({ userId: "01900000-0000-7000-8000-000000000001" as UserId, role: "ADMIN", sessionId: "s" }),
      service: async (name) => ({ name }),
    },
    log,
  });
  const names = { caller: "gateway", target: "events", tokens: { for: async () => "gateway" } };
  return {
    deadLetters: createClient(
      DeadLetterService,
      { kind: "local", endpoint: () => endpoint, checksMessages: true },
      names,
    ),
    subscriptions: createClient(
      SubscriptionService,
      { kind: "local", endpoint: () => endpoint, checksMessages: true },
      names,
    ),
  };
}

const reasonWhy = (call: Promise<unknown>) => call.then(() => undefined, reasonOf);
const idAt = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** Pages dead letters with these numbers, as every service does. */
function deadLettersOf(subscription: string, numbers: readonly number[]) {
  return async ({ pageToken = "", pageSize = 0 }) => {
    const filter = { subscription: undefined };
    const all = numbers.map((n) => ({ subscription, eventId: idAt(n) }));
    const tokens = new Map(
      Array.from({ length: 10 }, (_, n) =>
        ["left", "right"].map((name) => [nextPageToken([idAt(n), name], filter), `${idAt(n)} ${name}`] as const),
      ).flat(),
    );
    const after = tokens.get(pageToken) ?? "";
    const rest = all.filter((one) => `${one.eventId} ${one.subscription}` > after);
    const page = rest.slice(0, pageSize);
    const last = page.at(-1);
    const more = rest.length > page.length && last !== undefined;
    const next = more ? nextPageToken([last.eventId, subscription], filter) : "";
    return create(ListDeadLettersResponseSchema, { deadLetters: page, nextPageToken: next });
  };
}

describe("dead letters of several services", () => {
  it.each([1, 2, 3, 10])("are one list in the order of the events, %i a page", async (pageSize) => {
    const { deadLetters } = clientsOf(
      backend("left", { listDeadLetters: deadLettersOf("left", [1, 4, 5, 6]) }),
      backend("right", { listDeadLetters: deadLettersOf("right", [2, 3, 5, 8]) }),
      backend("none", { any: failing("METHOD_UNKNOWN", "unimplemented") }),
    );
    const seen: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await deadLetters.listDeadLetters({ pageSize, pageToken }, origin);
      expect(page.deadLetters.length).toBeLessThanOrEqual(pageSize);
      seen.push(
        ...page.deadLetters.map(({ eventId, subscription }) => `${Number(eventId.slice(-12))} ${subscription}`),
      );
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(seen).toEqual(["1 left", "2 right", "3 right", "4 left", "5 left", "5 right", "6 left", "8 right"]);
  });

  it.each([[["made up", "left"]], [[idAt(1), "left\0"]], [[idAt(1)]]])(
    "are not listed after a row that cannot exist: %j",
    async (keys) => {
      const { deadLetters } = clientsOf(backend("left", { listDeadLetters: deadLettersOf("left", [1]) }));
      const pageToken = nextPageToken(keys, { subscription: undefined });
      expect(await reasonWhy(deadLetters.listDeadLetters({ pageToken }, origin))).toBe("PAGE_TOKEN_INVALID");
    },
  );

  it("are shown without those of a service that is down, which is named", async () => {
    const { deadLetters } = clientsOf(
      backend("left", { listDeadLetters: deadLettersOf("left", [1]) }),
      backend("right", { any: down }),
    );
    const page = await deadLetters.listDeadLetters({ pageSize: 5 }, origin);
    expect(page).toMatchObject({ deadLetters: [{ subscription: "left" }], unreachableServices: ["right"] });
  });

  it("are retried by their subscriber; an unknown name differs from one whose service did not respond", async () => {
    const retried = async () => create(RetryAllDeadLettersResponseSchema, { retried: 3 });
    const mail = { subscription: "order-mail" };
    const kept = clientsOf(backend("left", { retryAllDeadLetters: retried }), backend("right", { any: down }));
    expect(await kept.deadLetters.retryAllDeadLetters(mail, origin)).toMatchObject({ retried: 3 });
    const unknown = clientsOf(backend("left", {}), backend("right", {}));
    expect(await reasonWhy(unknown.deadLetters.retryAllDeadLetters(mail, origin))).toBe("SUBSCRIPTION_NOT_FOUND");
    const maybe = clientsOf(backend("left", {}), backend("right", { any: down }));
    expect(await reasonWhy(maybe.deadLetters.retryAllDeadLetters(mail, origin))).toBe("TEMPORARILY_UNAVAILABLE");
  });

  it("pass a service's own refusal on", async () => {
    const missing = failing("DEAD_LETTER_NOT_FOUND", "not_found");
    const { deadLetters } = clientsOf(backend("left", { any: missing }), backend("right", {}));
    const key = { subscription: "order-mail", eventId: idAt(1) };
    const error = await deadLetters.getDeadLetter(key, origin).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "not_found", reason: "DEAD_LETTER_NOT_FOUND" });
  });
});

describe("a subscription that several services know of", () => {
  const listed = (subscriptions: Parameters<typeof create<typeof ListSubscriptionsResponseSchema>>[1]) => async () =>
    create(ListSubscriptionsResponseSchema, subscriptions);

  it("is shown as one: counts summed, the oldest of all", async () => {
    const { subscriptions } = clientsOf(
      backend("order", {
        any: listed({
          subscriptions: [{ name: "mail", topics: ["order.*"], lag: 5n, oldestTime: timestampFromMs(2_000) }],
        }),
      }),
      backend("user", {
        any: listed({
          subscriptions: [{ name: "mail", topics: ["user.created"], lag: 1n, oldestTime: timestampFromMs(1_000) }],
        }),
      }),
      backend("notification", {
        any: listed({
          subscriptions: [
            { name: "mail", subscriber: "notification", paused: true, lag: 2n, waiting: 2n, deadLetters: 4n },
          ],
        }),
      }),
      backend("payment", { any: down }),
    );
    const answer = await subscriptions.listSubscriptions({}, origin);
    expect(answer.unreachableServices).toEqual(["payment"]);
    expect(answer.subscriptions).toMatchObject([
      {
        name: "mail",
        subscriber: "notification",
        topics: ["order.*", "user.created"],
        paused: true,
        lag: 8n,
        waiting: 2n,
        deadLetters: 4n,
        oldestTime: timestampFromMs(1_000),
      },
    ]);
  });

  it("is removed at its publishers first and at its subscriber last, and not at all while it is not paused", async () => {
    const removed: string[] = [];
    const system = (paused: boolean) =>
      clientsOf(
        backend("notification", {
          listSubscriptions: listed({ subscriptions: [{ name: "mail", subscriber: "notification", paused }] }),
          removeSubscription: async () => {
            removed.push("notification");
            return create(RemoveSubscriptionResponseSchema);
          },
        }),
        backend("order", {
          listSubscriptions: listed({ subscriptions: [{ name: "mail", lag: 5n }] }),
          removeSubscription: async () => {
            removed.push("order");
            return create(RemoveSubscriptionResponseSchema);
          },
        }),
        backend("payment", { any: down }),
      );
    const running = system(false).subscriptions.removeSubscription({ name: "mail" }, origin);
    expect(await reasonWhy(running)).toBe("SUBSCRIPTION_IN_USE");
    expect(removed).toEqual([]);
    const answer = await system(true).subscriptions.removeSubscription({ name: "mail" }, origin);
    expect(answer.unreachableServices).toEqual(["payment"]);
    expect(removed).toEqual(["order", "notification"]);
  });
});
