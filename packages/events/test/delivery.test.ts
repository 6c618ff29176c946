import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { claimBatch } from "../src/outbox/claim.ts";
import { backends, effectsOf, type Fixture, notes, openFixture, redis, until } from "./fixture.ts";

const sorted = (ids: readonly string[]) => [...ids].sort();

describe.each(backends)("events over %s", (backend) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  const inboxOf = async (name: string) => {
    const rows = await fixture.desk.sql<{ id: string }[]>`
      select event_id as id from inbox where subscription = ${name}`;
    return rows.map(({ id }) => id);
  };

  it("has its effect once in each subscription that asked for its topic", async () => {
    const relay = fixture.relay();
    await fixture.subscription("all", notes("all"));
    await fixture.subscription("only-sold", notes("only-sold"), { topics: ["shop.sold"] });
    const sold = await fixture.publish("a", 1, "shop.sold");
    const closed = await fixture.publish("a", 2, "shop.closed");
    relay.wake();
    await fixture.settled();
    expect(sorted(await effectsOf(fixture.desk, "all"))).toEqual(sorted([sold, closed]));
    expect(await effectsOf(fixture.desk, "only-sold")).toEqual([sold]);
  });

  it("delivers the message, its subject and its version", async () => {
    fixture.relay();
    const seen: unknown[] = [];
    await fixture.subscription("reader", {
      async handle({ topic, subject, version, payload }) {
        seen.push({ topic, subject, version, currency: payload.currencyCode, units: payload.minorUnits });
      },
    });
    await fixture.publish("read me", 3);
    await fixture.settled();
    expect(seen).toEqual([{ topic: "shop.sold", subject: "read me", version: 3, currency: "EUR", units: 3n }]);
  });

  it("settles at once an event that no subscription asks for", async () => {
    fixture.relay();
    await fixture.publish("nobody's", 1);
    await fixture.settled();
    const [open] = await fixture.shop.sql`select from batch where settle_time is null`;
    expect(open).toBeUndefined();
  });

  it("waits for a subscriber that is down", async () => {
    const relay = fixture.relay();
    await fixture.register("sleeper");
    const ids = await fixture.publishMany(5);
    relay.wake();
    await until("the relay has sent them", async () => (await unsent(fixture)) === 0);
    fixture.run("sleeper", notes("sleeper"));
    await fixture.settled();
    expect(sorted(await effectsOf(fixture.desk, "sleeper"))).toEqual(sorted(ids));
  });

  it("delivers and settles the events behind a batch that its queue never accepts", async () => {
    const refusing = async (queue: string) => {
      if (queue === "broken") throw new Error("this queue takes nothing");
    };
    const relay = fixture.relay({
      ...fixture.jobs,
      add: async (queue, jobs) => {
        await refusing(queue);
        await fixture.jobs.add(queue, jobs);
      },
      states: async (queue, ids) => {
        await refusing(queue);
        return await fixture.jobs.states(queue, ids);
      },
    });
    await fixture.register("broken", ["shop.broken"]);
    await fixture.subscription("working", notes("working"), { topics: ["shop.sold"] });
    await fixture.publish("first", 1, "shop.broken");
    relay.wake();
    await until("the first is claimed", async () => (await unsent(fixture)) === 0);
    const id = await fixture.publish("behind", 1, "shop.sold");
    await until("it had its effect", async () => (await effectsOf(fixture.desk, "working")).includes(id));
    await until("it is settled", async () => {
      const open = await fixture.shop.sql`select from delivery where subscription = 'working' and settle_time is null`;
      return open.length === 0;
    });
  });

  it("sends what was unsent when the subscription was registered", async () => {
    const id = await fixture.publish("early", 1);
    await fixture.subscription("late", notes("late"));
    fixture.relay();
    await fixture.settled();
    expect(await effectsOf(fixture.desk, "late")).toContain(id);
  });

  it("has its effect once though its job runs twice", async () => {
    await fixture.subscription("twice", notes("twice"));
    const id = await fixture.publish("double", 1);
    fixture.relay();
    await fixture.settled();
    const [envelope] = await fixture.shop.sql`
      select json_build_object('id', event_id, 'topic', topic, 'subject', subject, 'version', version, 'time', time,
        'payload', payload) as json from outbox where event_id = ${id}`;
    await fixture.jobs.add("twice", [{ id: "again-1", data: [envelope?.json] }]);
    await fixture.jobs.add("twice", [{ id: "again-2", data: [envelope?.json, envelope?.json] }]);
    await until("both jobs are done", async () => {
      const states = await fixture.jobs.states("twice", ["again-1", "again-2"]);
      return [...states.values()].every((state) => state === "completed");
    });
    expect(await effectsOf(fixture.desk, "twice")).toEqual([id]);
  });

  it("writes the inbox row of an event, unless its handler says that its own commit wrote it", async () => {
    fixture.relay();
    await fixture.subscription("silent", { async handle() {} });
    await fixture.subscription("says-so", { handle: async () => "INBOX_WRITTEN" });
    const id = await fixture.publish("a", 1);
    await fixture.settled();
    expect(await inboxOf("silent")).toEqual([id]);
    expect(await inboxOf("says-so")).toEqual([]);
  });

  it("writes the inbox row of an event that was retried, whatever its handler says", async () => {
    fixture.relay();
    let attempts = 0;
    await fixture.subscription("retried", {
      async handle() {
        attempts += 1;
        if (attempts === 1) throw new Error("not yet");
        return "INBOX_WRITTEN";
      },
    });
    const id = await fixture.publish("a", 1);
    await until("it is done", async () => (await inboxOf("retried")).length === 1);
    expect(await inboxOf("retried")).toEqual([id]);
    const pending = await fixture.desk.sql`select 1 from inbox_pending where subscription = 'retried'`;
    expect([...pending]).toEqual([]);
  });

  it("delivers the batch of a publisher that died between the claim and the queue", async () => {
    await fixture.subscription("healed", notes("healed"));
    const id = await fixture.publish("orphan", 1);
    await claimBatch(fixture.shop.sql, { hasInbox: false });
    fixture.relay();
    await fixture.settled();
    expect(await effectsOf(fixture.desk, "healed")).toEqual([id]);
  });

  it("sends nothing twice in effect where two relays run side by side", async () => {
    const relays = [fixture.relay(), fixture.relay(await fixture.openJobs())];
    await fixture.subscription("crowd", notes("crowd"));
    const ids: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      ids.push(...(await fixture.publishMany(40)));
      for (const relay of relays) relay.wake();
    }
    await fixture.settled();
    expect(sorted(await effectsOf(fixture.desk, "crowd"))).toEqual(sorted(ids));
  });

  it("shares a subscription's jobs between two workers", async () => {
    const relay = fixture.relay();
    const workers = new Set<string>();
    const working = (worker: string) => ({
      async handle() {
        workers.add(worker);
        await until("the other works too", async () => workers.size === 2);
      },
    });
    await fixture.subscription("shared", working("first"), { concurrencyMax: 1 });
    fixture.run("shared", working("second"), { jobs: await fixture.openJobs(), concurrencyMax: 1 });
    for (let n = 0; n < 20 && workers.size < 2; n += 1) {
      await fixture.publishMany(1);
      relay.wake();
      await until("it is sent", async () => (await unsent(fixture)) === 0);
    }
    await fixture.settled();
    expect(workers).toEqual(new Set(["first", "second"]));
  });

  it("runs the events of one subject in their order, and other subjects beside them", async () => {
    const log: string[] = [];
    await fixture.register("chain");
    for (const version of [1, 2, 3]) for (const subject of ["x", "y"]) await fixture.publish(subject, version);
    fixture.relay();
    fixture.run("chain", {
      async handle({ subject, version }) {
        log.push(`${subject}${version} begins`);
        await until("both subjects are at work", async () => log.includes("x1 begins") && log.includes("y1 begins"));
        log.push(`${subject}${version} ends`);
      },
    });
    await fixture.settled();
    const ofX = log.filter((line) => line.startsWith("x"));
    expect(ofX).toEqual(["x1 begins", "x1 ends", "x2 begins", "x2 ends", "x3 begins", "x3 ends"]);
  });
});

async function unsent(fixture: Fixture): Promise<number> {
  const [row] = await fixture.shop.sql<{ n: number }[]>`select count(*)::int as n from outbox where batch_id is null`;
  return row?.n ?? 0;
}

afterAll(async () => {
  await redis?.close();
  if (redis === undefined) process.stderr.write("left out, for want of redis-server: events over redis\n");
});
