import { create, toJson } from "@bufbuild/protobuf";
import { MoneySchema } from "@rialto/contracts";
import { type Database, isOutage, ownerUrl, type Sql } from "@rialto/database";
import {
  createJobs,
  createRelay,
  type Handler,
  type Jobs,
  migrateJobs,
  outboxIsSettled,
  publish,
  type Relay,
  registerSubscription,
  runSubscription,
  type SubscriptionOptions,
  subscribe,
} from "@rialto/events";
import type { Logger, Metrics, Tracing } from "@rialto/telemetry";
import { quietLogger, redisForTests, type TestDatabase, type TestRedis, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { oneCommit, type TransactionHandler } from "./one-commit.ts";

export type Backend = "postgres" | "redis";
export type TestHandler = Handler<typeof MoneySchema> | TransactionHandler<typeof MoneySchema>;

/** Redis where it is installed. The name of what is left out where it is not is printed when the file has run. */
export const redis: TestRedis | undefined = await redisForTests();
export const backends: readonly Backend[] = redis === undefined ? ["postgres"] : ["postgres", "redis"];

/**
 * A shop that publishes, a desk that subscribes, and the queue between them. Everything that it starts is stopped by
 * `stop`.
 */
export interface Fixture {
  readonly shop: Database;
  readonly desk: Database;
  readonly postgres: TestDatabase;
  /** The queue's end of this process. */
  readonly jobs: Jobs;
  openJobs(): Promise<Jobs>;
  relay(jobs?: Jobs): Relay;
  /** Registers with the shop and runs. */
  subscription(name: string, handler: TestHandler, o?: Options): Promise<{ stop(): Promise<void> }>;
  run(name: string, handler: TestHandler, o?: Options): { stop(): Promise<void> };
  register(name: string, topics?: readonly string[], formerTopics?: readonly string[]): Promise<void>;
  /** Publishes an event of a subject in a transaction of its own, and does not wake anyone. */
  publish(subject: string, version: number, topic?: string, traceparent?: string): Promise<string>;
  publishMany(count: number): Promise<readonly string[]>;
  settled(): Promise<void>;
  /** Stops what runs and empties the shop, so that no test waits for another's subscriptions. */
  rest(): Promise<void>;
  /** Stops what runs, and leaves everything as it is. */
  halt(): Promise<void>;
  stop(): Promise<void>;
}

interface Options extends SubscriptionOptions {
  readonly topics?: readonly string[];
  readonly jobs?: Jobs;
  readonly metrics?: Metrics;
}

export const topic = "shop.sold";

export async function openFixture(
  backend: Backend,
  redisUrl: string | undefined = redis?.url,
  tracing?: Tracing,
  log: Logger = quietLogger,
): Promise<Fixture> {
  const postgres = await testDatabase({
    schemas: [
      { name: "shop", migrations: new URL("./shop/migrations", import.meta.url) },
      { name: "desk", migrations: new URL("./desk/migrations", import.meta.url) },
    ],
    jobs: true,
  });
  await migrateJobs(await ownerUrl(postgres.adminUrl, "jobs", postgres.secret));
  const shop = postgres.database("shop");
  const desk = postgres.database("desk");
  const openJobs = async () => {
    if (backend === "postgres") return await createJobs({ postgresUrl: postgres.urlOf("jobs") });
    if (redisUrl === undefined) throw new Error("there is no Redis");
    return await createJobs({ redisUrl, redisPrefix: "rialto-test" });
  };
  const jobs = await openJobs();
  const opened: Jobs[] = [jobs];
  let running: { stop(): Promise<void> }[] = [];
  const started = <T extends { stop(): Promise<void> }>(what: T): T => {
    running.push(what);
    return what;
  };
  const fixture: Fixture = {
    shop,
    desk,
    postgres,
    jobs,
    async openJobs() {
      const more = await openJobs();
      opened.push(more);
      return more;
    },
    relay(own = jobs) {
      const relay = started(createRelay({ database: shop, hasInbox: false, jobs: own, log: quietLogger, tracing }));
      relay.start();
      return relay;
    },
    run(name, handler, { topics = ["shop.*"], jobs: own = jobs, metrics, ...options } = {}) {
      const handled = "inTransaction" in handler ? oneCommit(desk.sql, handler) : handler;
      const subscription = subscribe(name, topics, MoneySchema, handled, options);
      const what = { subscription, database: desk, jobs: own, log, tracing, metrics, isOutage };
      return started(runSubscription(what));
    },
    async subscription(name, handler, o = {}) {
      await fixture.register(name, o.topics);
      return fixture.run(name, handler, o);
    },
    register: (subscription, topics = ["shop.*"], formerTopics = []) =>
      registerSubscription(shop.sql, { subscription, topics, formerTopics }),
    publish: (subject, version, of = topic, traceparent = "") =>
      publishOne(shop.sql, { subject, version, topic: of, traceparent }),
    async publishMany(count) {
      return await Promise.all(
        Array.from({ length: count }, () =>
          publishOne(shop.sql, { subject: uuidv7(), version: 1, topic, traceparent: "" }),
        ),
      );
    },
    settled: () => until("the outbox is settled", () => outboxIsSettled(shop.sql)),
    async halt() {
      await Promise.all(running.map((what) => what.stop()));
      running = [];
      await Promise.all(opened.splice(1).map((more) => more.close()));
    },
    async rest() {
      await fixture.halt();
      // A subscription that nobody runs any more would keep its events open in the next test.
      await postgres.sql`truncate shop.outbox, shop.batch, shop.delivery, shop.registration`;
    },
    async stop() {
      await fixture.rest();
      await jobs.close();
      await postgres.close();
    },
  };
  return fixture;
}

async function publishOne(
  sql: Sql,
  o: { readonly subject: string; readonly version: number; readonly topic: string; readonly traceparent: string },
): Promise<string> {
  const id = uuidv7();
  const { version } = o;
  const payload = toJson(MoneySchema, create(MoneySchema, { currencyCode: "EUR", minorUnits: BigInt(version) }));
  await sql.begin((tx) => publish(tx, { id, ...o, time: new Date(), payload }));
  return id;
}

/** Looks until it is so. The test's own time-out ends a wait that is in vain. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const triesMax = 2_000;
  for (let tries = 0; tries < triesMax; tries += 1) {
    if (await isSo().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`it is still not so that ${what}`);
}

/** A handler that leaves a row each time it runs to its end. */
export const notes = (subscription: string) =>
  ({
    async inTransaction({ id, subject, version }, tx) {
      await tx`
        insert into effect (subscription, event_id, subject, version) values (${subscription}, ${id}, ${subject}, ${version})`;
    },
  }) satisfies TransactionHandler<typeof MoneySchema>;

/**
 * The events that had an effect in a subscription, in the order in which they had it; twice where they had it twice.
 */
export async function effectsOf(desk: Database, subscription: string): Promise<readonly string[]> {
  const rows = await desk.sql<{ id: string }[]>`
    select event_id as id from effect where subscription = ${subscription} order by effect.id`;
  return rows.map(({ id }) => id);
}
