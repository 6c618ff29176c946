import { emptyQueues, removeRegistration, restartDeliveries } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { backends, effectsOf, notes, openWorld, redis, until, type World } from "./world.ts";

/** What a restored backup has forgotten of a subscriber: the effects of these events, and that they had it. */
async function forgetEffects({ desk }: World, subscription: string): Promise<void> {
  await desk.sql`delete from inbox where subscription = ${subscription}`;
  await desk.sql`delete from effect where subscription = ${subscription}`;
}

describe.each(backends)(
  "a Postgres restored from a backup while the queue tells of a later time, over %s",
  (backend) => {
    let world: World;
    beforeEach(async () => {
      world = await openWorld(backend);
      onTestFinished(() => world.stop());
    });

    /** Events that were on their way when the backup was made, and had their effect after it. */
    async function restoredBefore(effectsOfThem: string): Promise<readonly string[]> {
      await world.subscription(effectsOfThem, notes(effectsOfThem));
      world.relay();
      const ids = await world.publishMany(5);
      await world.settled();
      await world.halt();
      await forgetEffects(world, effectsOfThem);
      await world.shop.sql`update delivery set settle_time = null, ask_time = now()`;
      await world.shop.sql`update batch set settle_time = null`;
      return ids;
    }

    it("without the command takes the queue's word that a job is done, and its effects are missing", async () => {
      await restoredBefore("trusting");
      world.run("trusting", notes("trusting"));
      world.relay();
      await world.settled();
      expect(await effectsOf(world.desk, "trusting")).toEqual([]);
    });

    it("sends again what its outbox owes, once the queues are emptied", async () => {
      const ids = await restoredBefore("again");
      expect(await emptyQueues(world.jobs)).toContain("again");
      expect(await restartDeliveries(world.shop.sql)).toBeGreaterThan(0);
      world.run("again", notes("again"));
      world.relay();
      await world.settled();
      expect([...(await effectsOf(world.desk, "again"))].sort()).toEqual([...ids].sort());
    });

    it("never sees jobs of batches that its outbox does not know, once the queues are emptied", async () => {
      await world.register("no-ghosts");
      const relay = world.relay();
      await world.publish("a ghost", 1);
      relay.wake();
      await until("its job is there", async () => (await world.jobs.names()).includes("no-ghosts"));
      await world.halt();
      // The backup is older than the event: neither the outbox nor a batch knows of it. Its job waits.
      await world.shop.sql`delete from delivery`;
      await world.shop.sql`delete from batch`;
      await world.shop.sql`delete from outbox`;
      await emptyQueues(world.jobs);
      expect(await restartDeliveries(world.shop.sql)).toBe(0);
      world.run("no-ghosts", notes("no-ghosts"));
      world.relay();
      const real = await world.publish("real", 1);
      await world.settled();
      expect(await effectsOf(world.desk, "no-ghosts")).toEqual([real]);
    });

    it("brings back what was settled since, for a subscriber that was restored to an earlier time than its publisher", async () => {
      await world.subscription("earlier", notes("earlier"));
      world.relay();
      const before = await world.publish("before the backup", 1);
      await world.settled();
      const [moment] = await world.shop.sql<{ time: Date }[]>`select now() as time`;
      const lost = await world.publishMany(3);
      await world.settled();
      await world.halt();
      await world.desk.sql`delete from inbox where event_id <> ${before}`;
      await world.desk.sql`delete from effect where event_id <> ${before}`;

      await emptyQueues(world.jobs);
      expect(await restartDeliveries(world.shop.sql, { settledSince: moment?.time })).toBeGreaterThanOrEqual(1);
      world.run("earlier", notes("earlier"));
      world.relay();
      await world.settled();
      const had = await effectsOf(world.desk, "earlier");
      expect([...had].sort()).toEqual([before, ...lost].sort());
    });

    it("goes on with a queue that was emptied while its worker runs", async () => {
      await world.subscription("running", notes("running"));
      world.relay();
      const first = await world.publish("first", 1);
      await world.settled();
      await emptyQueues(world.jobs);
      const second = await world.publish("second", 1);
      await world.settled();
      expect(await effectsOf(world.desk, "running")).toEqual([first, second]);
    });
  },
);

describe("the road of a subscription that is removed", () => {
  it("is emptied by name, and another's is not", async () => {
    const world = await openWorld("postgres");
    onTestFinished(() => world.stop());
    await world.jobs.add("gone", [{ id: uuidv7(), data: [] }]);
    await world.jobs.add("stays", [{ id: uuidv7(), data: [] }]);
    await world.jobs.empty("gone");
    expect(await world.jobs.names()).toEqual(["stays"]);
    expect(await world.shop.sql.begin((tx) => removeRegistration(tx, "gone"))).toBe(false);
  });
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined)
    process.stderr.write("left out, for want of redis-server: a restored Postgres, over redis\n");
});
