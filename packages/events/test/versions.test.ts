import { publisherStats, subscriberStats } from "@rialto/events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expireQuarantined } from "../src/inbox/quarantine.ts";
import { backends, effectsOf, notes, openWorld, redis, type TestHandler, until, type World } from "./world.ts";

const old = { topics: ["shop.sold"] };
const both = { topics: ["shop.sold", "shop.closed"] };

describe.each(backends)("two versions of a subscriber, of which the new one has a topic more, over %s", (backend) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(backend);
  });
  afterEach(() => world.rest());
  afterAll(() => world.stop());

  const waitingOf = async (name: string) => {
    const figures = await subscriberStats(world.desk.sql);
    return figures.find(({ subscription }) => subscription === name)?.waiting ?? 0;
  };
  const effects = (name: string) => effectsOf(world.desk, name);
  const isIn = async (name: string, id: string) => (await effects(name)).includes(id);

  it("keep the new topic registered though the old one starts last", async () => {
    const relay = world.relay();
    await world.register("restarted", both.topics);
    await world.register("restarted", old.topics);
    const [{ topics } = { topics: [] }] = await publisherStats(world.shop.sql);
    expect([...topics].sort()).toEqual([...both.topics].sort());
    const id = await world.publish("a", 1, "shop.closed");
    relay.wake();
    world.run("restarted", notes("restarted"), both);
    await world.settled();
    expect(await effects("restarted")).toEqual([id]);
  });

  it("are registered for what either asks for", async () => {
    await world.register("grown", ["shop.sold"]);
    await world.register("grown", ["shop.closed", "shop.sold"]);
    await world.register("grown", ["shop.*"]);
    const [{ topics } = { topics: [] }] = await publisherStats(world.shop.sql);
    expect([...topics].sort()).toEqual(["shop.*", "shop.closed", "shop.sold"]);
  });

  it.each<[string, (name: string) => TestHandler]>([
    ["database only", notes],
    [
      "with an effect",
      (name) => ({
        async withEffect({ id, subject, version }) {
          await world.desk.sql`
            insert into effect (subscription, event_id, subject, version) values (${name}, ${id}, ${subject}, ${version})`;
        },
      }),
    ],
  ])(
    "%s: the old one leaves what it does not know to the new one, and nothing waits meanwhile",
    async (form, handlerOf) => {
      const name = `left-${form.replaceAll(" ", "-")}`;
      const relay = world.relay();
      await world.register(name, both.topics);
      world.run(name, handlerOf(name), old);
      const closed = await world.publish("a", 1, "shop.closed");
      const sold = await world.publish("a", 2, "shop.sold");
      relay.wake();
      // Its job is done and its publisher rid of it: it is no job that fails again and again.
      await world.settled();
      expect(await effects(name)).toEqual([sold]);
      expect(await waitingOf(name)).toBe(1);
      const [delivery] = await world.shop.sql`select max(attempt) as attempts from delivery`;
      expect(delivery).toEqual({ attempts: 0 });

      world.run(name, handlerOf(name), both);
      await until("the new one had it", () => isIn(name, closed));
      await until("nothing waits", async () => (await waitingOf(name)) === 0);
      expect(await effects(name)).toEqual([sold, closed]);
    },
  );

  it("share no failures: what failed in the new one is not tried by the old one", async () => {
    let mended = false;
    const failsAtFirst: TestHandler = {
      async inTransaction(event, tx) {
        if (!mended) throw new Error("not yet");
        await notes("failed").inTransaction(event, tx);
      },
    };
    const relay = world.relay();
    await world.register("failed", both.topics);
    const closed = await world.publish("a", 1, "shop.closed");
    const sold = await world.publish("b", 1, "shop.sold");
    const newOne = world.run("failed", failsAtFirst, both);
    relay.wake();
    await until("both failed", async () => (await waitingOf("failed")) === 2);
    await newOne.stop();
    mended = true;
    world.run("failed", failsAtFirst, old);
    await until("the old one tried its own", () => isIn("failed", sold));
    expect(await effects("failed")).toEqual([sold]);
    await until("its own waits no more", async () => (await waitingOf("failed")) === 1);
    world.run("failed", failsAtFirst, both);
    await until("the new one tried the other", () => isIn("failed", closed));
  });
});

describe("a topic that no version handles any more and that is still registered", () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld("postgres");
  });
  afterEach(() => world.rest());
  afterAll(() => world.stop());

  const rowsOf = async (name: string) => {
    const rows = await world.desk.sql<{ id: string }[]>`
      select event_id as id from inbox_pending where subscription = ${name} order by id`;
    return rows.map(({ id }) => id);
  };

  it("expires after a week, and not a moment sooner", async () => {
    const relay = world.relay();
    await world.register("dropped", both.topics);
    world.run("dropped", notes("dropped"), old);
    const earlier = await world.publish("a", 1, "shop.closed");
    const later = await world.publish("a", 2, "shop.closed");
    relay.wake();
    await world.settled();
    expect(await rowsOf("dropped")).toEqual([earlier, later]);
    await world.desk.sql`
      update inbox_pending set next_time = now() - case event_id when ${earlier} then interval '8 days' else interval '6 days' end
      where subscription = 'dropped'`;
    const subscription = { name: "dropped", topics: old.topics };
    expect(await expireQuarantined(world.desk.sql, subscription)).toEqual({
      expired: [{ topic: "shop.closed", events: 1 }],
      more: false,
    });
    expect(await rowsOf("dropped")).toEqual([later]);
    expect(await world.desk.sql`select 1 from inbox where event_id = ${earlier}`).toHaveLength(1);
    expect(await effectsOf(world.desk, "dropped")).toEqual([]);
  });

  it("takes along what of it failed before, and leaves dead letters and what is known alone", async () => {
    const { sql } = world.desk;
    const put = async (state: string, topic: string) => {
      await sql`
        insert into inbox_pending (subscription, event_id, state, topic, subject, version, envelope, next_time)
        values ('left', gen_random_uuid(), ${state}, ${topic}, 'a', 1, '{}', now() - interval '8 days')`;
    };
    for (const topic of ["shop.sold", "shop.closed"]) {
      for (const state of ["RETRY", "UNKNOWN", "DEAD"]) await put(state, topic);
    }
    const { expired } = await expireQuarantined(sql, { name: "left", topics: old.topics });
    expect(expired).toEqual([{ topic: "shop.closed", events: 2 }]);
    const left = await sql`select topic, state from inbox_pending where subscription = 'left' order by topic, state`;
    expect(left.map(({ topic, state }) => `${topic} ${state}`)).toEqual([
      "shop.closed DEAD",
      "shop.sold DEAD",
      "shop.sold RETRY",
      "shop.sold UNKNOWN",
    ]);
  });
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined) process.stderr.write("left out, for want of redis-server: two versions, over redis\n");
});
