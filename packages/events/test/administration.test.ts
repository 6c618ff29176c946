import { randomUUID } from "node:crypto";
import {
  discardDeadLetter,
  type Jobs,
  listDeadLetters,
  pauseSubscription,
  publisherStats,
  readDeadLetter,
  removeFromInbox,
  removeRegistration,
  resumeSubscription,
  retryDeadLetters,
  subscriberStats,
} from "@rialto/events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backends, effectsOf, type Fixture, notes, openFixture, redis, type TestHandler, until } from "./fixture.ts";

const failing: TestHandler = {
  inTransaction: () => Promise.reject(new Error("cannot be read")),
};

describe.each(backends)("what an operator does, over %s", (backend) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  const publisher = async (name: string) =>
    (await publisherStats(fixture.shop.sql)).find(({ subscription }) => subscription === name);
  const subscriber = async (name: string) =>
    (await subscriberStats(fixture.desk.sql)).find(({ subscription }) => subscription === name);

  it("pauses a subscription: it takes nothing, its events are kept, and it goes on where it stood", async () => {
    let stopped = false;
    const jobs: Jobs = {
      ...fixture.jobs,
      work(...of) {
        const worker = fixture.jobs.work(...of);
        const stop = async () => {
          await worker.stop();
          stopped = true;
        };
        return { stop };
      },
    };
    await fixture.subscription("paused", notes("paused"), { jobs });
    await fixture.subscription("other", notes("other"));
    const relay = fixture.relay();
    const before = await fixture.publish("paused", 1);
    await fixture.settled();
    await pauseSubscription(fixture.desk.sql, "paused");
    await until("its worker has stopped", async () => stopped);
    const kept = await fixture.publishMany(5);
    relay.wake();
    await until("the other one had all", async () => {
      const had = await effectsOf(fixture.desk, "other");
      return kept.every((id) => had.includes(id));
    });
    expect(await effectsOf(fixture.desk, "paused")).toEqual([before]);
    expect((await publisher("paused"))?.lag).toBe(5);
    expect(await subscriber("paused")).toMatchObject({ paused: true });

    await resumeSubscription(fixture.desk.sql, "paused");
    await fixture.settled();
    const had = await effectsOf(fixture.desk, "paused");
    expect([...had].sort()).toEqual([before, ...kept].sort());
  });

  it("finds a subscription paused that was paused before its process started, with its pending events", async () => {
    let mended = false;
    const handler: TestHandler = {
      async inTransaction(event, tx) {
        if (!mended) throw new Error("not yet");
        await notes("asleep").inTransaction(event, tx);
      },
    };
    await fixture.subscription("asleep", handler, { attemptsMax: 1_000 });
    fixture.relay();
    const id = await fixture.publish("pending", 1);
    await until("it is pending", async () => (await subscriber("asleep"))?.waiting === 1);
    await fixture.halt();
    await pauseSubscription(fixture.desk.sql, "asleep");
    mended = true;
    fixture.run("asleep", handler);
    fixture.run("watcher", notes("watcher"));
    await fixture.register("watcher");
    fixture.relay();
    const seen = await fixture.publish("seen by the watcher", 1);
    await until("the watcher had it", async () => (await effectsOf(fixture.desk, "watcher")).includes(seen));
    expect(await effectsOf(fixture.desk, "asleep")).toEqual([]);
    await resumeSubscription(fixture.desk.sql, "asleep");
    await until("both had their effect", async () => (await effectsOf(fixture.desk, "asleep")).length === 2);
    expect([...(await effectsOf(fixture.desk, "asleep"))].sort()).toEqual([id, seen].sort());
  });

  it("sees the lag of a subscription that no process runs, and removes it: its publisher is settled", async () => {
    await fixture.register("dead", ["shop.sold"]);
    await fixture.subscription("alive", notes("alive"));
    const relay = fixture.relay();
    await fixture.publishMany(3);
    await fixture.publish("of another topic", 1, "shop.closed");
    relay.wake();
    await until("the living one had them", async () => (await publisher("alive"))?.lag === 0);
    expect(await publisher("dead")).toMatchObject({ topics: ["shop.sold"], lag: 3, oldestTime: expect.any(Date) });
    expect(await fixture.shop.sql.begin((tx) => removeRegistration(tx, "dead"))).toBe(true);
    await fixture.settled();
    await until("no batch is open", async () => {
      const [open] = await fixture.shop.sql`select from batch where settle_time is null`;
      return open === undefined;
    });
    expect(await publisher("dead")).toBeUndefined();
    expect(await fixture.shop.sql.begin((tx) => removeRegistration(tx, "dead"))).toBe(false);
    await fixture.publish("after", 1);
    relay.wake();
    await fixture.settled();
  });

  it("counts events that no relay has claimed yet", async () => {
    await fixture.register("waits", ["shop.sold"]);
    await fixture.publishMany(4);
    expect(await publisher("waits")).toMatchObject({ lag: 4 });
    fixture.run("waits", notes("waits"), { topics: ["shop.sold"] });
    fixture.relay();
    await fixture.settled();
    expect(await publisher("waits")).toMatchObject({ lag: 0, oldestTime: null });
  });

  it("pages through dead letters oldest event first, over all subscriptions", async () => {
    await fixture.subscription("first-dead", failing, { attemptsMax: 1 });
    await fixture.subscription("second-dead", failing, { attemptsMax: 1 });
    fixture.relay();
    await fixture.publishMany(3);
    await until("all are dead", async () => (await listDeadLetters(fixture.desk.sql, { limit: 10 })).length === 6);
    const all = await listDeadLetters(fixture.desk.sql, { limit: 10 });
    const paged = [];
    for (let after: (typeof all)[number] | undefined; ; ) {
      const page = await listDeadLetters(fixture.desk.sql, { after, limit: 2 });
      paged.push(...page);
      after = page.at(-1);
      if (after === undefined) break;
    }
    expect(paged).toEqual(all);
    expect(all.map(({ eventId }) => eventId)).toEqual(all.map(({ eventId }) => eventId).sort());
    expect(await subscriber("first-dead")).toMatchObject({ dead: 3, waiting: 0 });
    const [letter] = all;
    if (letter === undefined) throw new Error("there is none");
    expect(await readDeadLetter(fixture.desk.sql, letter)).toEqual(letter);
    expect(letter).toMatchObject({ lastError: "Error: cannot be read", payload: { currencyCode: "EUR" } });
    expect(await readDeadLetter(fixture.desk.sql, { ...letter, eventId: randomUUID() })).toBeUndefined();
    await fixture.halt();
    for (const name of ["first-dead", "second-dead"]) {
      expect(await fixture.desk.sql.begin((tx) => removeFromInbox(tx, name))).toBe(true);
    }
    expect(await subscriberStats(fixture.desk.sql)).toEqual([]);
  });

  it("discards a dead letter: it has no effect, and no retry brings it back", async () => {
    let bad: string | undefined;
    const handler: TestHandler = {
      async inTransaction(event, tx) {
        if (event.id === bad) throw new Error("never");
        await notes("strict").inTransaction(event, tx);
      },
    };
    bad = await fixture.publish("strict", 1);
    const next = await fixture.publish("strict", 2);
    await fixture.subscription("strict", handler, { attemptsMax: 1 });
    fixture.relay();
    await until("it is dead", async () => (await subscriber("strict"))?.dead === 1);
    const key = { subscription: "strict", eventId: bad };
    expect(await fixture.desk.sql.begin((tx) => discardDeadLetter(tx, key))).toBe(true);
    await until("the next one had its effect", async () => (await effectsOf(fixture.desk, "strict")).length > 0);
    expect(await effectsOf(fixture.desk, "strict")).toEqual([next]);
    expect(await retryDeadLetters(fixture.desk.sql, key)).toBe(0);
    expect(await fixture.desk.sql.begin((tx) => discardDeadLetter(tx, key))).toBe(false);
  });
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined)
    process.stderr.write("left out, for want of redis-server: what an operator does, over redis\n");
});
