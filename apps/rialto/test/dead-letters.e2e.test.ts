import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OrderEventSchema } from "@rialto/contracts";
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { type Event, subscribe } from "@rialto/events";
import { readConfig, type ServiceDefinition } from "@rialto/service";
import { freePort, quietLogger } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rialto, startRialto } from "../src/rialto.ts";
import { services } from "../src/services.ts";
import { type Json, openRestClient, type RestClient } from "./rest-client.ts";
import { admin } from "./topology.ts";

const bad = "always-throws";
const attemptsMax = 3;
const ordersPlaced = 4;

/**
 * The outcome of an event in the subscription under test. While held, an attempt waits before it fails, so that the
 * subscription is still retrying.
 */
const course = { mended: false, held: Promise.withResolvers<void>(), tries: new Map<string, number>() };

async function alwaysThrows({ id }: Event<unknown>): Promise<void> {
  const tries = (course.tries.get(id) ?? 0) + 1;
  course.tries.set(id, tries);
  if (course.mended) return;
  if (tries === attemptsMax) await course.held.promise;
  throw new Error("this subscriber always throws");
}

/** The notification service with another subscription, which has a defect. */
function withBadSubscriber(definition: ServiceDefinition): ServiceDefinition {
  if (definition.name !== "notification") return definition;
  return {
    ...definition,
    async open(app) {
      const open = await definition.open(app);
      const handler = { handle: alwaysThrows };
      const subscription = subscribe(bad, "order.placed", OrderEventSchema, handler, { attemptsMax });
      return { ...open, subscriptions: [...open.subscriptions, subscription] };
    },
  };
}

describe("a subscriber that always throws", () => {
  let folder: string;
  let postgres: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
  let rialto: Rialto;
  let client: RestClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rialto-dead-letters-"));
    postgres = await startEmbeddedPostgres({ directory: join(folder, "postgres"), log: quietLogger });
    const port = await freePort();
    const config = readConfig({
      DATABASE_URL: postgres.url,
      RIALTO_DATA_DIR: join(folder, "data"),
      RIALTO_ADMIN_EMAIL: admin.email,
      RIALTO_ADMIN_PASSWORD: admin.password,
      RIALTO_ARGON2_COST: "test",
      // All requests of this file come from one address and one admin.
      RIALTO_RATE_LIMIT: "0",
      PORT: String(port),
    });
    const definitions = services.map(withBadSubscriber);
    rialto = await startRialto({ config, logOf: () => quietLogger, definitions });
    client = await openRestClient({ url: `http://127.0.0.1:${port}` });
  });

  afterAll(async () => {
    await rialto?.stop();
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const asAdmin = async (method: string, path: string, o: { body?: unknown; key?: string } = {}) =>
    await client.call(method, path, {
      token: client.adminToken,
      ...(method === "GET" ? {} : { key: randomUUID() }),
      ...o,
    });

  async function subscription(name: string): Promise<Json> {
    const { status, body } = await asAdmin("GET", "/api/subscriptions");
    expect(status).toBe(200);
    expect(body.unreachableServices).toEqual([]);
    return body.subscriptions.find((one: Json) => one.name === name);
  }

  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    await expect.poll(isSo, { message: what, timeout: 60_000 }).toBe(true);
  }

  let letters: Json[];

  it("holds up no other: their inboxes complete while it still retries", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 100 });
    for (let n = 0; n < ordersPlaced; n += 1) {
      const order = await client.order(token, product);
      expect((await client.settled(token, order.id)).status).toBe("CONFIRMED");
    }
    await until("the others have taken everything", async () => {
      const others = await Promise.all(["checkout", "order-mail", "welcome-mail"].map(subscription));
      return others.every(({ lag }) => lag === "0");
    });
    await until("its batches are settled, and its events stand aside", async () => {
      const { lag, waiting } = await subscription(bad);
      return lag === String(ordersPlaced) && waiting === lag;
    });
    expect(await subscription(bad)).toMatchObject({
      subscriber: "notification",
      topics: ["order.placed"],
      lag: String(ordersPlaced),
      waiting: String(ordersPlaced),
      deadLetters: "0",
      paused: false,
    });
    expect((await subscription(bad)).oldestAge).toMatch(/^\d+(\.\d+)?s$/);
  });

  it("finds its events in its dead letters after its attempts", async () => {
    course.held.resolve();
    await until("all are dead", async () => (await subscription(bad)).deadLetters === String(ordersPlaced));
    const { body } = await asAdmin("GET", `/api/dead-letters?subscription=${bad}`);
    letters = body.deadLetters;
    expect(letters).toHaveLength(ordersPlaced);
    for (const letter of letters) {
      expect(letter).toMatchObject({
        subscription: bad,
        topic: "order.placed",
        version: 1,
        attempts: attemptsMax,
        error: "Error: this subscriber always throws",
        payload: { orderId: letter.subject, kind: "PLACED", status: "PENDING" },
      });
      expect(letter.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(course.tries.get(letter.eventId)).toBe(attemptsMax);
    }
    expect((await subscription(bad)).lag).toBe("0");
  });

  it("is shown one by one and page by page", async () => {
    const paged: Json[] = [];
    for (let pageToken = ""; ; ) {
      const { body } = await asAdmin("GET", `/api/dead-letters?pageSize=1&pageToken=${pageToken}`);
      paged.push(...body.deadLetters);
      pageToken = body.nextPageToken;
      if (pageToken === "") break;
    }
    expect(paged).toEqual(letters);
    const one = await asAdmin("GET", `/api/dead-letters/${bad}/${letters[0].eventId}`);
    expect(one).toEqual({ status: 200, body: letters[0] });
    const none = await asAdmin("GET", `/api/dead-letters/${bad}/${randomUUID()}`);
    expect(reasonOf(none.body)).toBe("DEAD_LETTER_NOT_FOUND");
    const unknown = await asAdmin("GET", "/api/dead-letters?subscription=nobody");
    expect(reasonOf(unknown.body)).toBe("SUBSCRIPTION_NOT_FOUND");
  });

  it("is for admins only", async () => {
    const { token } = await client.customer();
    for (const path of ["/api/dead-letters", "/api/subscriptions"]) {
      expect((await client.call("GET", path)).status).toBe(401);
      expect((await client.call("GET", path, { token })).status).toBe(403);
    }
  });

  it("fails again where nothing was mended, and can be discarded", async () => {
    const [first, second] = letters;
    course.tries.clear();
    await asAdmin("POST", `/api/dead-letters/${bad}/${first.eventId}:retry`);
    await until("it is dead again", async () => {
      const { body } = await asAdmin("GET", `/api/dead-letters/${bad}/${first.eventId}`);
      return body.attempts === attemptsMax && course.tries.get(first.eventId) === attemptsMax;
    });
    const discarded = await asAdmin("POST", `/api/dead-letters/${bad}/${second.eventId}:discard`, {
      body: { reason: "a test says so" },
    });
    expect(discarded).toEqual({ status: 200, body: {} });
    const again = await asAdmin("POST", `/api/dead-letters/${bad}/${second.eventId}:discard`);
    expect(reasonOf(again.body)).toBe("DEAD_LETTER_NOT_FOUND");
  });

  it("has none left once it is mended and all are tried again", async () => {
    course.mended = true;
    course.tries.clear();
    const path = `/api/dead-letters/${bad}:retryAll`;
    const key = randomUUID();
    const retried = await asAdmin("POST", path, { key });
    expect(retried).toEqual({ status: 200, body: { retried: ordersPlaced - 1 } });
    expect(await asAdmin("POST", path, { key })).toEqual(retried);
    await until("nothing is left", async () => {
      const { lag, deadLetters } = await subscription(bad);
      return lag === "0" && deadLetters === "0";
    });
    expect(course.tries.size).toBe(ordersPlaced - 1);
    const { body } = await asAdmin("GET", "/api/dead-letters");
    expect(body.deadLetters).toEqual([]);
  });

  it("is paused, keeps its events, is resumed and at last removed", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 100 });
    const inUse = await asAdmin("DELETE", `/api/subscriptions/${bad}`);
    expect(reasonOf(inUse.body)).toBe("SUBSCRIPTION_IN_USE");
    expect(await asAdmin("POST", `/api/subscriptions/${bad}:pause`)).toEqual({ status: 200, body: {} });
    expect((await subscription(bad)).paused).toBe(true);
    // Every process checks for a pause before it processes waiting events, so orders and mails go on meanwhile.
    await until("it takes nothing any more", async () => {
      course.tries.clear();
      const order = await client.order(token, product);
      await client.settled(token, order.id);
      await until("the mail of it is sent", async () => (await subscription("order-mail")).lag === "0");
      return course.tries.size === 0 && (await subscription(bad)).lag !== "0";
    });
    await asAdmin("POST", `/api/subscriptions/${bad}:resume`);
    await until("it has taken them", async () => (await subscription(bad)).lag === "0");
    expect(course.tries.size).toBeGreaterThan(0);

    await asAdmin("POST", `/api/subscriptions/${bad}:pause`);
    const removed = await asAdmin("DELETE", `/api/subscriptions/${bad}`);
    expect(removed).toEqual({ status: 200, body: { unreachableServices: [] } });
    // Only the process that still runs it knows its name.
    expect(await subscription(bad)).toMatchObject({ topics: [], lag: "0", deadLetters: "0", paused: false });
    const unknown = await asAdmin("DELETE", "/api/subscriptions/nobody");
    expect(reasonOf(unknown.body)).toBe("SUBSCRIPTION_NOT_FOUND");
  });
});

/** The reason in the google.rpc.Status that REST answers. */
function reasonOf(status: Json): string | undefined {
  return (status.details ?? status.error?.details)?.find((detail: Json) => detail.reason !== undefined)?.reason;
}
