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
import { backends, effectsOf, notes, openWorld, redis, type TestHandler, until, type World } from "./world.ts";

const failing: TestHandler = {
  inTransaction: () => Promise.reject(new Error("cannot be read")),
};

describe.each(backends)("what an operator does, over %s", (backend) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(backend);
  });
  afterEach(() => world.rest());
  afterAll(() => world.stop());

  const publisher = async (name: string) =>
    (await publisherStats(world.shop.sql)).find(({ subscription }) => subscription === name);
  const subscriber = async (name: string) =>
    (await subscriberStats(world.desk.sql)).find(({ subscription }) => subscription === name);

  it("pauses a subscription: it takes nothing, its events are kept, and it goes on where it stood", async () => {
    let stopped = false;
    const jobs: Jobs = {
      ...world.jobs,
      work(...of) {
        const worker = world.jobs.work(...of);
        const stop = async () => {
          await worker.stop();
          stopped = true;
        };
        return { stop };
      },
    };
    await world.subscription("paused", notes("paused"), { jobs });
    await world.subscription("other", notes("other"));
    const relay = world.relay();
    const before = await world.publish("paused", 1);
    await world.settled();
    await pauseSubscription(world.desk.sql, "paused");
    await until("its worker has stopped", async () => stopped);
    const kept = await world.publishMany(5);
    relay.wake();
    await until("the other one had all", async () => {
      const had = await effectsOf(world.desk, "other");
      return kept.every((id) => had.includes(id));
    });
    expect(await effectsOf(world.desk, "paused")).toEqual([before]);
    expect((await publisher("paused"))?.lag).toBe(5);
    expect(await subscriber("paused")).toMatchObject({ paused: true });

    await resumeSubscription(world.desk.sql, "paused");
    await world.settled();
    const had = await effectsOf(world.desk, "paused");
    expect([...had].sort()).toEqual([before, ...kept].sort());
  });

  it("finds a subscription paused that was paused before its process started, with what stands aside", async () => {
    let mended = false;
    const handler: TestHandler = {
      async inTransaction(event, tx) {
        if (!mended) throw new Error("not yet");
        await notes("asleep").inTransaction(event, tx);
      },
    };
    await world.subscription("asleep", handler, { attemptsMax: 1_000 });
    world.relay();
    const id = await world.publish("stands aside", 1);
    await until("it stands aside", async () => (await subscriber("asleep"))?.waiting === 1);
    await world.halt();
    await pauseSubscription(world.desk.sql, "asleep");
    mended = true;
    world.run("asleep", handler);
    world.run("watcher", notes("watcher"));
    await world.register("watcher");
    world.relay();
    const seen = await world.publish("seen by the watcher", 1);
    await until("the watcher had it", async () => (await effectsOf(world.desk, "watcher")).includes(seen));
    expect(await effectsOf(world.desk, "asleep")).toEqual([]);
    await resumeSubscription(world.desk.sql, "asleep");
    await until("both had their effect", async () => (await effectsOf(world.desk, "asleep")).length === 2);
    expect([...(await effectsOf(world.desk, "asleep"))].sort()).toEqual([id, seen].sort());
  });

  it("sees how far behind a subscription is that nobody runs, and removes it: its publisher is settled", async () => {
    await world.register("dead", ["shop.sold"]);
    await world.subscription("alive", notes("alive"));
    const relay = world.relay();
    await world.publishMany(3);
    await world.publish("of another topic", 1, "shop.closed");
    relay.wake();
    await until("the living one had them", async () => (await publisher("alive"))?.lag === 0);
    expect(await publisher("dead")).toMatchObject({ topics: ["shop.sold"], lag: 3, oldestTime: expect.any(Date) });
    expect(await world.shop.sql.begin((tx) => removeRegistration(tx, "dead"))).toBe(true);
    await world.settled();
    await until("no batch is open", async () => {
      const [open] = await world.shop.sql`select from batch where settle_time is null`;
      return open === undefined;
    });
    expect(await publisher("dead")).toBeUndefined();
    expect(await world.shop.sql.begin((tx) => removeRegistration(tx, "dead"))).toBe(false);
    await world.publish("after", 1);
    relay.wake();
    await world.settled();
  });

  it("counts what no relay has taken yet", async () => {
    await world.register("waits", ["shop.sold"]);
    await world.publishMany(4);
    expect(await publisher("waits")).toMatchObject({ lag: 4 });
    world.run("waits", notes("waits"), { topics: ["shop.sold"] });
    world.relay();
    await world.settled();
    expect(await publisher("waits")).toMatchObject({ lag: 0, oldestTime: null });
  });

  it("pages through dead letters oldest event first, over all subscriptions", async () => {
    await world.subscription("first-dead", failing, { attemptsMax: 1 });
    await world.subscription("second-dead", failing, { attemptsMax: 1 });
    world.relay();
    await world.publishMany(3);
    await until("all are dead", async () => (await listDeadLetters(world.desk.sql, { limit: 10 })).length === 6);
    const all = await listDeadLetters(world.desk.sql, { limit: 10 });
    const paged = [];
    for (let after: (typeof all)[number] | undefined; ; ) {
      const page = await listDeadLetters(world.desk.sql, { after, limit: 2 });
      paged.push(...page);
      after = page.at(-1);
      if (after === undefined) break;
    }
    expect(paged).toEqual(all);
    expect(all.map(({ eventId }) => eventId)).toEqual(all.map(({ eventId }) => eventId).sort());
    expect(await subscriber("first-dead")).toMatchObject({ dead: 3, waiting: 0 });
    const [letter] = all;
    if (letter === undefined) throw new Error("there is none");
    expect(await readDeadLetter(world.desk.sql, letter)).toEqual(letter);
    expect(letter).toMatchObject({ lastError: "Error: cannot be read", payload: { currencyCode: "EUR" } });
    expect(await readDeadLetter(world.desk.sql, { ...letter, eventId: randomUUID() })).toBeUndefined();
    await world.halt();
    for (const name of ["first-dead", "second-dead"]) {
      expect(await world.desk.sql.begin((tx) => removeFromInbox(tx, name))).toBe(true);
    }
    expect(await subscriberStats(world.desk.sql)).toEqual([]);
  });

  it("discards a dead letter: it has no effect, and no retry brings it back", async () => {
    let bad: string | undefined;
    const handler: TestHandler = {
      async inTransaction(event, tx) {
        if (event.id === bad) throw new Error("never");
        await notes("strict").inTransaction(event, tx);
      },
    };
    bad = await world.publish("strict", 1);
    const next = await world.publish("strict", 2);
    await world.subscription("strict", handler, { attemptsMax: 1 });
    world.relay();
    await until("it is dead", async () => (await subscriber("strict"))?.dead === 1);
    const key = { subscription: "strict", eventId: bad };
    expect(await world.desk.sql.begin((tx) => discardDeadLetter(tx, key))).toBe(true);
    await until("the next one had its effect", async () => (await effectsOf(world.desk, "strict")).length > 0);
    expect(await effectsOf(world.desk, "strict")).toEqual([next]);
    expect(await retryDeadLetters(world.desk.sql, key)).toBe(0);
    expect(await world.desk.sql.begin((tx) => discardDeadLetter(tx, key))).toBe(false);
  });
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined)
    process.stderr.write("left out, for want of redis-server: what an operator does, over redis\n");
});
