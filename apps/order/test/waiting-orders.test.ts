import { OrderEventSchema } from "@rialto/contracts";
import { isOutage } from "@rialto/database";
import {
  createJobs,
  createRelay,
  type Jobs,
  migrateJobs,
  type Relay,
  registerSubscription,
  runSubscription,
  subscribe,
} from "@rialto/events";
import { isUnavailable } from "@rialto/rpc";
import { quietLogger, redisForTests } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Admission, createAdmission } from "../src/admission/admission.ts";
import { createQueueReader } from "../src/admission/queue-reader.ts";
import { advanceOnEvent, checkoutOptions, checkoutTopics } from "../src/checkout/advance.ts";
import { down } from "./fake-services.ts";
import { asCustomer, type Calls, type Fixture, openFixture } from "./order-fixture.ts";

const redis = await redisForTests();
afterAll(() => redis?.close());
const backends = redis === undefined ? (["postgres"] as const) : (["postgres", "redis"] as const);
const lenient = { requireConfirmedEmail: false };
const limits = { delayMsTarget: 1_000, unfinishedMax: 100_000 };
/** More than jobs that one process handles at a time. */
const slowCards = 50;

/**
 * Two replicas of the order service, of which one runs the checkout and the other no step at all. Both decide about new
 * orders by what they read of the queue.
 */
describe.each(backends)("orders that wait for something else, with jobs on %s", (backend) => {
  let fixture: Fixture;
  let jobs: Jobs;
  let replicas: readonly Calls[];
  const closing: (() => Promise<void>)[] = [];
  let relay: Relay;
  let product: string;

  beforeAll(async () => {
    fixture = await openFixture();
    await migrateJobs(await fixture.jobsOwnerUrl());
    jobs = await createJobs(
      backend === "redis" && redis !== undefined
        ? { redisUrl: redis.url, redisPrefix: "rialto-test" }
        : { postgresUrl: fixture.jobsUrl },
    );
    const { database, checkout } = fixture;
    await registerSubscription(database.sql, { subscription: "checkout", topics: checkoutTopics, formerTopics: [] });
    relay = createRelay({ database, hasInbox: true, jobs, log: quietLogger });
    relay.start();
    const running = runSubscription({
      subscription: subscribe(
        "checkout",
        checkoutTopics,
        OrderEventSchema,
        advanceOnEvent({ checkout }),
        checkoutOptions,
      ),
      database,
      jobs,
      log: quietLogger,
      isOutage: (error) => isOutage(error) || isUnavailable(error),
    });
    const admissions = [admission(), admission()];
    replicas = admissions.map((admission) => fixture.start(lenient, { admission }).gateway);
    closing.push(...admissions.map(({ close }) => close), running.stop, relay.stop, jobs.close, fixture.close);
    product = fixture.product();
  });
  afterEach(async () => {
    fixture.outside.interference = {};
    await retryNow();
    await until("all orders are at rest", async () => (await unfinished()) === 0);
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  function admission(): Admission {
    return createAdmission({
      reader: createQueueReader(fixture.database),
      limits,
      log: quietLogger,
      random: Math.random,
      pause: () => new Promise((resolve) => setTimeout(resolve, 20)),
    });
  }

  const unfinished = () => createQueueReader(fixture.database).countUnfinished(10_000);
  const waiting = async () => (await createQueueReader(fixture.database).readQueue()).waiting;
  const statusOf = async (id: string) => (await fixture.store.read(id))?.status;

  /** Places orders of a customer, at each replica in turn, each in a job of its own. If one is shed, the test fails. */
  async function place(count: number, paymentMethod = "pm_test_approved"): Promise<readonly string[]> {
    const customer = fixture.customer();
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const replica = replicas[n % replicas.length];
      const items = [{ productId: product, quantity: 1 }];
      const placed = await replica?.createOrder({ items, paymentMethod }, asCustomer(customer));
      ids.push(placed?.order?.id ?? "");
      relay.wake();
      await until("it is in a batch", async () => {
        const [unsent] = await fixture.database
          .sql`select from outbox where batch_id is null and topic = 'order.placed'`;
        return unsent === undefined;
      });
    }
    return ids;
  }

  /** Each order's card answers as `act` says, for those with this payment method. */
  function interfere(paymentMethod: string, act: () => void | Promise<void>): void {
    fixture.outside.interference = {
      async before(method, orderId) {
        if (method !== "authorizePayment") return;
        if ((await fixture.store.read(orderId))?.paymentMethod === paymentMethod) await act();
      },
    };
  }

  async function expectConfirmed(ids: readonly string[]): Promise<void> {
    for (const id of ids) await until("it is confirmed", async () => (await statusOf(id)) === "CONFIRMED");
  }

  /** Lets two minutes pass for all orders that are there. */
  async function twoMinutesLater(): Promise<void> {
    await fixture.database.sql`
      update orders set next_attempt_time = next_attempt_time - interval '2 minutes',
        create_time = create_time - interval '2 minutes', update_time = update_time - interval '2 minutes'`;
    await retryNow();
  }

  async function retryNow(): Promise<void> {
    await fixture.database
      .sql`update inbox_pending set next_time = now() where state = 'RETRY' and last_error is not null`;
  }

  it("are accepted while the card network is down for two minutes, and at rest after its return", async () => {
    interfere("pm_test_approved", () => {
      throw down();
    });
    const early = await place(60);
    await until("each has had its first attempt", async () => (await waiting()) === 0);
    await twoMinutesLater();
    const late = await place(60);
    await until("each of the late ones too", async () => (await waiting()) === 0);
    expect(await unfinished()).toBe(120);
    fixture.outside.interference = {};
    await expectConfirmed([...early, ...late]);
  });

  it("delay nobody and shed nobody, where many cards of one customer do not answer", async () => {
    const held = Promise.withResolvers<void>();
    onTestFinished(() => held.resolve());
    interfere("pm_test_slow", async () => {
      await held.promise;
      throw down();
    });
    const silent = await place(slowCards, "pm_test_slow");
    await until("each has had its first attempt", async () => (await waiting()) === 0);
    await twoMinutesLater();
    // No card has answered when these are confirmed.
    await expectConfirmed(await place(20));
    expect(new Set(await Promise.all(silent.map(statusOf)))).toEqual(new Set(["STOCK_RESERVED"]));
    expect(await waiting()).toBe(0);
    fixture.outside.interference = {};
    held.resolve();
    await expectConfirmed(silent);
  });

  it("delay nobody and shed nobody, where one order is poisoned", async () => {
    interfere("pm_test_declined", () => {
      throw new Error("a defect that this order meets");
    });
    const [poisoned = ""] = await place(1, "pm_test_declined");
    await until("it has failed", async () => {
      const [row] = await fixture.database.sql`select from inbox_pending where subject = ${poisoned} and attempts > 0`;
      return row !== undefined;
    });
    await twoMinutesLater();
    await expectConfirmed(await place(20));
    expect(await statusOf(poisoned)).toBe("STOCK_RESERVED");
    expect(await waiting()).toBe(0);
  });
});

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await expect.poll(isSo, { interval: 20, timeout: 60_000, message: what }).toBe(true);
}
