import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { claimBatch } from "../src/outbox/claim.ts";
import { backends, effectsOf, notes, openWorld, redis, until, type World } from "./world.ts";

const sorted = (ids: readonly string[]) => [...ids].sort();

describe.each(backends)("events over %s", (backend) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(backend);
  });
  afterEach(() => world.rest());
  afterAll(() => world.stop());

  it("has its effect once in each subscription that asked for its topic", async () => {
    const relay = world.relay();
    await world.subscription("all", notes("all"));
    await world.subscription("only-sold", notes("only-sold"), { topics: ["shop.sold"] });
    const sold = await world.publish("a", 1, "shop.sold");
    const closed = await world.publish("a", 2, "shop.closed");
    relay.wake();
    await world.settled();
    expect(sorted(await effectsOf(world.desk, "all"))).toEqual(sorted([sold, closed]));
    expect(await effectsOf(world.desk, "only-sold")).toEqual([sold]);
  });

  it("hands over the message, its subject and its version", async () => {
    world.relay();
    const seen: unknown[] = [];
    await world.subscription("reader", {
      async withEffect({ topic, subject, version, payload }) {
        seen.push({ topic, subject, version, currency: payload.currencyCode, units: payload.minorUnits });
      },
    });
    await world.publish("read me", 3);
    await world.settled();
    expect(seen).toEqual([{ topic: "shop.sold", subject: "read me", version: 3, currency: "EUR", units: 3n }]);
  });

  it("settles at once what nobody asked for", async () => {
    world.relay();
    await world.publish("nobody's", 1);
    await world.settled();
    const [open] = await world.shop.sql`select from batch where settle_time is null`;
    expect(open).toBeUndefined();
  });

  it("waits for a subscriber that is down", async () => {
    const relay = world.relay();
    await world.register("sleeper");
    const ids = await world.publishMany(5);
    relay.wake();
    await until("the relay has sent them", async () => (await unsent(world)) === 0);
    world.run("sleeper", notes("sleeper"));
    await world.settled();
    expect(sorted(await effectsOf(world.desk, "sleeper"))).toEqual(sorted(ids));
  });

  it("hands over and settles what stands behind a batch that its queue never takes", async () => {
    const refusing = async (queue: string) => {
      if (queue === "broken") throw new Error("this queue takes nothing");
    };
    const relay = world.relay({
      ...world.jobs,
      add: async (queue, jobs) => {
        await refusing(queue);
        await world.jobs.add(queue, jobs);
      },
      states: async (queue, ids) => {
        await refusing(queue);
        return await world.jobs.states(queue, ids);
      },
    });
    await world.register("broken", ["shop.broken"]);
    await world.subscription("working", notes("working"), { topics: ["shop.sold"] });
    await world.publish("first", 1, "shop.broken");
    relay.wake();
    await until("the first is claimed", async () => (await unsent(world)) === 0);
    const id = await world.publish("behind", 1, "shop.sold");
    await until("it had its effect", async () => (await effectsOf(world.desk, "working")).includes(id));
    await until("it is settled", async () => {
      const open = await world.shop.sql`select from delivery where subscription = 'working' and settle_time is null`;
      return open.length === 0;
    });
  });

  it("sends what was unsent when the subscription was registered", async () => {
    const id = await world.publish("early", 1);
    await world.subscription("late", notes("late"));
    world.relay();
    await world.settled();
    expect(await effectsOf(world.desk, "late")).toContain(id);
  });

  it("has its effect once though its job runs twice", async () => {
    await world.subscription("twice", notes("twice"));
    const id = await world.publish("double", 1);
    world.relay();
    await world.settled();
    const [envelope] = await world.shop.sql`
      select json_build_object('id', event_id, 'topic', topic, 'subject', subject, 'version', version, 'time', time,
        'payload', payload) as json from outbox where event_id = ${id}`;
    await world.jobs.add("twice", [{ id: "again-1", data: [envelope?.json] }]);
    await world.jobs.add("twice", [{ id: "again-2", data: [envelope?.json, envelope?.json] }]);
    await until("both jobs are done", async () => {
      const states = await world.jobs.states("twice", ["again-1", "again-2"]);
      return [...states.values()].every((state) => state === "completed");
    });
    expect(await effectsOf(world.desk, "twice")).toEqual([id]);
  });

  it("heals what a publisher left that died between the claim and the queue", async () => {
    await world.subscription("healed", notes("healed"));
    const id = await world.publish("orphan", 1);
    await claimBatch(world.shop.sql);
    world.relay();
    await world.settled();
    expect(await effectsOf(world.desk, "healed")).toEqual([id]);
  });

  it("sends nothing twice in effect where two relays run side by side", async () => {
    const relays = [world.relay(), world.relay(await world.openJobs())];
    await world.subscription("crowd", notes("crowd"));
    const ids: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      ids.push(...(await world.publishMany(40)));
      for (const relay of relays) relay.wake();
    }
    await world.settled();
    expect(sorted(await effectsOf(world.desk, "crowd"))).toEqual(sorted(ids));
  });

  it("shares a subscription's jobs between two workers", async () => {
    const relay = world.relay();
    const workers = new Set<string>();
    const working = (worker: string) => ({
      async withEffect() {
        workers.add(worker);
        await until("the other works too", async () => workers.size === 2);
      },
    });
    await world.subscription("shared", working("first"), { concurrencyMax: 1 });
    world.run("shared", working("second"), { jobs: await world.openJobs(), concurrencyMax: 1 });
    for (let n = 0; n < 20 && workers.size < 2; n += 1) {
      await world.publishMany(1);
      relay.wake();
      await until("it is sent", async () => (await unsent(world)) === 0);
    }
    await world.settled();
    expect(workers).toEqual(new Set(["first", "second"]));
  });

  it("runs the events of one subject in their order, and other subjects beside them", async () => {
    const log: string[] = [];
    await world.register("chain");
    for (const version of [1, 2, 3]) for (const subject of ["x", "y"]) await world.publish(subject, version);
    world.relay();
    world.run("chain", {
      async withEffect({ subject, version }) {
        log.push(`${subject}${version} begins`);
        await until("both subjects are at work", async () => log.includes("x1 begins") && log.includes("y1 begins"));
        log.push(`${subject}${version} ends`);
      },
    });
    await world.settled();
    const ofX = log.filter((line) => line.startsWith("x"));
    expect(ofX).toEqual(["x1 begins", "x1 ends", "x2 begins", "x2 ends", "x3 begins", "x3 ends"]);
  });
});

async function unsent(world: World): Promise<number> {
  const [row] = await world.shop.sql<{ n: number }[]>`select count(*)::int as n from outbox where batch_id is null`;
  return row?.n ?? 0;
}

afterAll(async () => {
  await redis?.close();
  if (redis === undefined) process.stderr.write("left out, for want of redis-server: events over redis\n");
});
