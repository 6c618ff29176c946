import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OrderEventSchema, ProductService, RegistrationService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { publish, subscribe } from "@rialto/events";
import { backgroundContext, type CallContext, CallError, type Client, callErrors, serve } from "@rialto/rpc";
import { createLogger } from "@rialto/telemetry";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "../src/config/config.ts";
import { defineService } from "../src/define-service.ts";
import { type Running, runServices } from "../src/process/run-services.ts";
import { every } from "../src/schedules/schedule.ts";

let database: TestDatabase;
let folder: string;
const running: Running[] = [];

beforeAll(async () => {
  database = await testDatabase({ schemas: [] });
});

// Throws where a pool was left open on the database.
afterAll(async () => {
  await database.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-service-"));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
  await rm(folder, { recursive: true });
});

describe.each(["in one process", "in two processes"])("two services %s", (topology) => {
  async function start() {
    const { product, order, opened, heard } = shop();
    if (topology === "in one process") running.push(await runServices([product, order], options(false)));
    else {
      const first = await runServices([product], options(true));
      running.push(first);
      running.push(await runServices([order], options(true, { RIALTO_PRODUCT_URL: `http://127.0.0.1:${first.port}` })));
    }
    const { products, publisher, wake } = opened;
    if (products === undefined || publisher === undefined || wake === undefined) throw new Error("not open");
    return { products, publisher, wake, heard };
  }

  it("call each other with typed messages, and know who calls", async () => {
    const { products } = await start();
    const id = randomUUID();
    const answer = await products.batchGetProducts({ ids: [id] }, backgroundContext({}));
    expect(answer.products).toMatchObject([
      { id, name: "service order", price: { currencyCode: "EUR", minorUnits: 1250n } },
    ]);
  });

  it("get the same refusals from each other", async () => {
    const { products } = await start();
    const ask = (ids: readonly string[], o = {}) =>
      products.batchGetProducts({ ids: [...ids] }, backgroundContext({}), o);
    expect(await refusal(ask([refused]))).toEqual({ code: "aborted", reason: "CHANGED_MEANWHILE" });
    expect(await refusal(ask(["no id"]))).toEqual({ code: "invalid_argument", reason: "INVALID_REQUEST" });
    expect(await refusal(ask([broken]))).toEqual({ code: "internal", reason: "INTERNAL_ERROR" });
    expect(await refusal(ask([slow], { timeoutMs: 50 }))).toMatchObject({ code: "deadline_exceeded" });
    expect(await refusal(products.createProduct({}, backgroundContext({})))).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  it("hear of each other's events", async () => {
    const { publisher, wake, heard } = await start();
    const subject = randomUUID();
    await registered(publisher);
    await publisher.sql.begin((tx) => publish(tx, eventOf(subject)));
    wake();
    while (!heard.includes(subject)) await sleep(10);
  });
});

describe("runServices", () => {
  it("takes no more events once it stops, lets the one in hand end, and the next process takes the others", async () => {
    const { product, order, opened, heard, hold } = shop();
    const one = await runServices([product, order], options(false));
    running.push(one);
    const { publisher, wake } = opened;
    if (publisher === undefined || wake === undefined) throw new Error("not open");
    const [inHand, late] = [randomUUID(), randomUUID()];
    const send = async (subject: string) => {
      await publisher.sql.begin((tx) => publish(tx, eventOf(subject)));
      wake();
    };
    const release = hold(inHand);
    await send(inHand);
    while (!heard.includes(`began ${inHand}`)) await sleep(10);
    one.beginStop();
    await send(late);
    // The relay still enqueues what requests publish meanwhile.
    while ((await publisher.sql`select 1 from outbox where batch_id is null`).length > 0) await sleep(10);
    const stopped = one.stop();
    await sleep(500);
    release();
    await stopped;
    expect(heard).toContain(inHand);
    expect(heard.filter((said) => said.includes(late))).toEqual([]);
    running.push(await runServices([product, order], options(false)));
    while (!heard.includes(late)) await sleep(10);
    expect(heard.filter((said) => said === inHand)).toEqual([inHand]);
  });

  it("leaves nothing open when it stops", async () => {
    const { product, order, story } = shop();
    const one = await runServices([product, order], options(false));
    while (!story.includes("schedule ran")) await sleep(10);
    await one.stop();
    expect(story.at(-1)).toBe("order stopped");
    expect(await openSessions()).toEqual([]);
  });

  it("leaves nothing open when a part does not start", async () => {
    const { product } = shop();
    const broken = defineService({
      name: "order",
      migrations: orderMigrations,
      calls: {},
      rpc: () => [],
      seed: () => Promise.reject(new Error("no seed grows here")),
    });
    await expect(runServices([product, broken], options(false))).rejects.toThrow("no seed grows here");
    expect(await openSessions()).toEqual([]);
  });

  it("runs a relay for a service that publishes, and none for one that publishes nothing", async () => {
    const { product, order, opened, heard } = shop();
    const log = recordedLog();
    const one = await runServices([product, order], { ...options(false), logOf: log.of });
    running.push(one);
    const subject = randomUUID();
    await opened.publisher?.sql.begin((tx) => publish(tx, eventOf(subject)));
    while (!heard.includes(subject)) await sleep(10);
    // Its schema has no outbox: a relay would say so.
    expect(log.lines.filter((line) => line.includes('"level":"warn"') || line.includes("relay"))).toEqual([]);
    // Nor can anybody register for its events.
    const registrations = one.clients.of(RegistrationService, "product", "order");
    const registered = registrations.registerSubscription(
      { subscription: "any", topics: ["order.any"] },
      backgroundContext({}),
    );
    expect(await refusal(registered)).toMatchObject({ code: "unimplemented" });
  });

  it("refuses to publish a topic that the service does not declare", async () => {
    const { product, order, opened } = shop();
    running.push(await runServices([product, order], options(false)));
    const { publisher } = opened;
    const undeclared = { ...eventOf(randomUUID()), topic: "product.renamed" };
    await expect(publisher?.sql.begin((tx) => publish(tx, undeclared))).rejects.toThrow(
      '"product" does not declare the topic "product.renamed"',
    );
  });

  it("refuses a service that declares the topic of another", () => {
    expect(() =>
      defineService({
        name: "order",
        migrations: orderMigrations,
        calls: {},
        publishes: ["product.any"],
        rpc: () => [],
      }),
    ).toThrow('"order" cannot publish "product.any"');
  });

  it("says nothing of a password in its log, and returns startup notices to its caller", async () => {
    const { product } = shop();
    const withNotice = defineService({
      name: "order",
      migrations: orderMigrations,
      calls: {},
      rpc: () => [],
      seed: async (app) => app.addStartupNotice({ kind: "admin-created", email: "a@example.com", password: "secret" }),
    });
    const log = recordedLog();
    const one = await runServices([product, withNotice], { ...options(false), logOf: log.of });
    running.push(one);
    expect(one.startupNotices).toEqual([{ kind: "admin-created", email: "a@example.com", password: "secret" }]);
    expect(log.lines.length).toBeGreaterThan(0);
    expect(log.lines.filter((line) => line.includes("secret"))).toEqual([]);
  });
});

const orderMigrations = new URL("./fixture/order-migrations/", import.meta.url);
const productMigrations = new URL("./fixture/product-migrations/", import.meta.url);
const [refused, broken, slow] = [randomUUID(), randomUUID(), randomUUID()];

const unused = () => Promise.reject(new Error("nobody calls this"));

/** A product service that answers with its caller's name, and an order service that calls it and hears its events. */
function shop() {
  const story: string[] = [];
  const heard: string[] = [];
  const held = new Map<string, Promise<void>>();
  const opened: { publisher?: Database; products?: Client<typeof ProductService>; wake?: () => void } = {};
  const product = defineService({
    name: "product",
    migrations: productMigrations,
    calls: {},
    publishes: ["product.changed"],
    setup: ({ database: publisher, wakeRelay }) => {
      Object.assign(opened, { publisher, wake: wakeRelay });
      return {};
    },
    rpc: () => [
      serve(ProductService, {
        batchGetProducts: async ({ ids }, ctx) => ({
          products: await Promise.all(ids.map((id) => describeTo(ctx, id))),
        }),
        createProduct: unused,
        getProduct: unused,
        listProducts: unused,
        updateProduct: unused,
      }),
    ],
  });
  const order = defineService({
    name: "order",
    migrations: orderMigrations,
    calls: { products: ProductService },
    setup: ({ calls }) => {
      opened.products = calls.products;
      return {};
    },
    rpc: () => [],
    subscriptions: () => [
      subscribe("stock-watch", "product.*", OrderEventSchema, {
        async handle({ payload }) {
          heard.push(`began ${payload.orderId}`);
          await held.get(payload.orderId);
          heard.push(payload.orderId);
        },
      }),
    ],
    schedules: () => [every("5ms", "look-around", async () => void story.push("schedule ran"))],
    stop: async () => void story.push("order stopped"),
  });
  /** Holds the handler of an event up until the returned function is called. */
  const hold = (subject: string) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held.set(subject, promise);
    return resolve;
  };
  return { story, heard, opened, hold, product, order };
}

function eventOf(subject: string) {
  const event = { id: randomUUID(), topic: "product.changed", subject, version: 1, time: new Date(), traceparent: "" };
  return { ...event, payload: { orderId: subject } };
}

async function describeTo(ctx: CallContext, id: string) {
  if (id === refused) throw new CallError(callErrors.CHANGED_MEANWHILE);
  if (id === broken) throw new Error("a defect");
  if (id === slow) await sleep(60_000, undefined, { signal: ctx.signal });
  const name = ctx.caller.kind === "service" ? `service ${ctx.caller.name}` : ctx.caller.kind;
  return { id, name, price: { currencyCode: "EUR", minorUnits: 1250n } };
}

/** Over the network a subscription is registered in its own time. */
async function registered(publisher: Database): Promise<void> {
  while ((await publisher.sql`select 1 from registration`).length === 0) await sleep(10);
}

function options(listens: boolean, env: Readonly<Record<string, string>> = {}) {
  const config = readConfig({ DATABASE_URL: database.adminUrl, RIALTO_DATA_DIR: folder, PORT: "0", ...env });
  return { config, logOf: () => quietLogger, listens };
}

/** All that is logged, at any level. */
function recordedLog() {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, of: (service: string) => createLogger({ service, level: "trace", destination }) };
}

async function refusal(call: Promise<unknown>): Promise<{ code: string; reason: string } | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof CallError) return { code: error.code, reason: error.reason };
    throw error;
  }
}

async function openSessions(): Promise<readonly string[]> {
  for (let tries = 0; ; tries += 1) {
    const rows = await database.sql<{ name: string }[]>`
      select application_name as name from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
    const names = rows.map(({ name }) => name).filter((name) => name.startsWith("rialto-"));
    // The server takes a moment to see that a session was closed.
    if (names.length === 0 || tries === 50) return names;
    await sleep(20);
  }
}
