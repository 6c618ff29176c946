import { publisherStats, subscriberStats } from "@rialto/events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expireQuarantined } from "../src/inbox/quarantine.ts";
import { backends, effectsOf, type Fixture, notes, openFixture, redis, type TestHandler, until } from "./fixture.ts";

const old = { topics: ["shop.sold"] };
const both = { topics: ["shop.sold", "shop.closed"] };

describe.each(backends)("two versions of a subscriber, of which the new one has a topic more, over %s", (backend) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  const waitingOf = async (name: string) => {
    const figures = await subscriberStats(fixture.desk.sql);
    return figures.find(({ subscription }) => subscription === name)?.waiting ?? 0;
  };
  const effects = (name: string) => effectsOf(fixture.desk, name);
  const isIn = async (name: string, id: string) => (await effects(name)).includes(id);

  it("keep the new topic registered though the old one starts last", async () => {
    const relay = fixture.relay();
    await fixture.register("restarted", both.topics);
    await fixture.register("restarted", old.topics);
    const [{ topics } = { topics: [] }] = await publisherStats(fixture.shop.sql);
    expect([...topics].sort()).toEqual([...both.topics].sort());
    const id = await fixture.publish("a", 1, "shop.closed");
    relay.wake();
    fixture.run("restarted", notes("restarted"), both);
    await fixture.settled();
    expect(await effects("restarted")).toEqual([id]);
  });

  it("are registered for what either asks for", async () => {
    await fixture.register("grown", ["shop.sold"]);
    await fixture.register("grown", ["shop.closed", "shop.sold"]);
    await fixture.register("grown", ["shop.*"]);
    const [{ topics } = { topics: [] }] = await publisherStats(fixture.shop.sql);
    expect([...topics].sort()).toEqual(["shop.*", "shop.closed", "shop.sold"]);
  });

  it.each<[string, (name: string) => TestHandler]>([
    ["database only", notes],
    [
      "with an effect",
      (name) => ({
        async handle({ id, subject, version }) {
          await fixture.desk.sql`
            insert into effect (subscription, event_id, subject, version) values (${name}, ${id}, ${subject}, ${version})`;
        },
      }),
    ],
  ])(
    "%s: the old one leaves what it does not know to the new one, and nothing waits meanwhile",
    async (form, handlerOf) => {
      const name = `left-${form.replaceAll(" ", "-")}`;
      const relay = fixture.relay();
      await fixture.register(name, both.topics);
      fixture.run(name, handlerOf(name), old);
      const closed = await fixture.publish("a", 1, "shop.closed");
      const sold = await fixture.publish("a", 2, "shop.sold");
      relay.wake();
      // Its job is done and its publisher rid of it: it is no job that fails again and again.
      await fixture.settled();
      expect(await effects(name)).toEqual([sold]);
      expect(await waitingOf(name)).toBe(1);
      const [delivery] = await fixture.shop.sql`select max(attempt) as attempts from delivery`;
      expect(delivery).toEqual({ attempts: 0 });

      fixture.run(name, handlerOf(name), both);
      await until("the new one had it", () => isIn(name, closed));
      await until("nothing waits", async () => (await waitingOf(name)) === 0);
      expect(await effects(name)).toEqual([sold, closed]);
    },
  );

  it("share no failures: what failed in the new one is not retried by the old one", async () => {
    let mended = false;
    const failsAtFirst: TestHandler = {
      async inTransaction(event, tx) {
        if (!mended) throw new Error("not yet");
        await notes("failed").inTransaction(event, tx);
      },
    };
    const relay = fixture.relay();
    await fixture.register("failed", both.topics);
    const closed = await fixture.publish("a", 1, "shop.closed");
    const sold = await fixture.publish("b", 1, "shop.sold");
    const newOne = fixture.run("failed", failsAtFirst, both);
    relay.wake();
    await until("both failed", async () => (await waitingOf("failed")) === 2);
    await newOne.stop();
    mended = true;
    fixture.run("failed", failsAtFirst, old);
    await until("the old one tried its own", () => isIn("failed", sold));
    expect(await effects("failed")).toEqual([sold]);
    await until("its own waits no more", async () => (await waitingOf("failed")) === 1);
    fixture.run("failed", failsAtFirst, both);
    await until("the new one tried the other", () => isIn("failed", closed));
  });
});

describe("a topic that the new version asks for no longer", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture("postgres");
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  const fewer = { topics: ["shop.sold"], formerTopics: ["shop.*"], ignoredTopics: ["shop.closed"] };
  const topicsOf = async () => {
    const [{ topics } = { topics: [] }] = await publisherStats(fixture.shop.sql);
    return [...topics].sort();
  };

  it("is taken out of the registration, and no other", async () => {
    await fixture.register("fewer", ["shop.*", "shop.opened"]);
    await fixture.register("fewer", fewer.topics, fewer.formerTopics);
    expect(await topicsOf()).toEqual(["shop.opened", "shop.sold"]);
    await fixture.register("fewer", fewer.topics, fewer.formerTopics);
    expect(await topicsOf()).toEqual(["shop.opened", "shop.sold"]);
  });

  it("comes back with a replica of the old version, until the new one starts again", async () => {
    await fixture.register("back", fewer.topics, fewer.formerTopics);
    await fixture.register("back", ["shop.*"]);
    expect(await topicsOf()).toEqual(["shop.*", "shop.sold"]);
    await fixture.register("back", fewer.topics, fewer.formerTopics);
    expect(await topicsOf()).toEqual(["shop.sold"]);
  });

  it("has no effect and leaves no row where an event of it still comes", async () => {
    const relay = fixture.relay();
    await fixture.register("ignored", ["shop.*"]);
    fixture.run("ignored", notes("ignored"), fewer);
    const sold = await fixture.publish("a", 1, "shop.sold");
    await fixture.publish("a", 2, "shop.closed");
    relay.wake();
    await fixture.settled();
    expect(await effectsOf(fixture.desk, "ignored")).toEqual([sold]);
    expect(await subscriberStats(fixture.desk.sql)).toEqual([]);
  });

  it("does not ignore a topic of a later version, which came by it", async () => {
    const relay = fixture.relay();
    await fixture.register("later", ["shop.*"]);
    fixture.run("later", notes("later"), fewer);
    const later = await fixture.publish("a", 1, "shop.opened");
    relay.wake();
    await fixture.settled();
    const rows = await fixture.desk.sql<{ id: string }[]>`
      select event_id as id from inbox_pending where subscription = 'later'`;
    expect(rows.map(({ id }) => id)).toEqual([later]);
  });

  it("cannot be asked for by the version that gave it up", () => {
    expect(() => fixture.run("both", notes("both"), { ...fewer, topics: ["shop.*"] })).toThrow("a former topic");
  });
});

describe("a topic that no version handles any more and that is still registered", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture("postgres");
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  const rowsOf = async (name: string) => {
    const rows = await fixture.desk.sql<{ id: string }[]>`
      select event_id as id from inbox_pending where subscription = ${name} order by id`;
    return rows.map(({ id }) => id);
  };

  it("expires after a week, and not a moment sooner", async () => {
    const relay = fixture.relay();
    await fixture.register("dropped", both.topics);
    fixture.run("dropped", notes("dropped"), old);
    const earlier = await fixture.publish("a", 1, "shop.closed");
    const later = await fixture.publish("a", 2, "shop.closed");
    relay.wake();
    await fixture.settled();
    expect(await rowsOf("dropped")).toEqual([earlier, later]);
    await fixture.desk.sql`
      update inbox_pending set next_time = now() - case event_id when ${earlier} then interval '8 days' else interval '6 days' end
      where subscription = 'dropped'`;
    const subscription = { name: "dropped", topics: old.topics };
    expect(await expireQuarantined(fixture.desk.sql, subscription)).toEqual({
      expired: [{ topic: "shop.closed", events: 1 }],
      more: false,
    });
    expect(await rowsOf("dropped")).toEqual([later]);
    expect(await fixture.desk.sql`select 1 from inbox where event_id = ${earlier}`).toHaveLength(1);
    expect(await effectsOf(fixture.desk, "dropped")).toEqual([]);
  });

  it("takes its failed events along, and leaves dead letters and known topics alone", async () => {
    const { sql } = fixture.desk;
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
