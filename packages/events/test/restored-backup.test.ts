import { emptyQueues, removeRegistration, restartDeliveries } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { backends, effectsOf, type Fixture, notes, openFixture, redis, until } from "./fixture.ts";

/** What a restored backup has forgotten of a subscriber: the effects of these events, and that they had it. */
async function forgetEffects({ desk }: Fixture, subscription: string): Promise<void> {
  await desk.sql`delete from inbox where subscription = ${subscription}`;
  await desk.sql`delete from effect where subscription = ${subscription}`;
}

describe.each(backends)(
  "a Postgres restored from a backup while the queue tells of a later time, over %s",
  (backend) => {
    let fixture: Fixture;
    beforeEach(async () => {
      fixture = await openFixture(backend);
      onTestFinished(() => fixture.stop());
    });

    /** Events that were on their way when the backup was made, and had their effect after it. */
    async function restoredBefore(effectsOfThem: string): Promise<readonly string[]> {
      await fixture.subscription(effectsOfThem, notes(effectsOfThem));
      fixture.relay();
      const ids = await fixture.publishMany(5);
      await fixture.settled();
      await fixture.halt();
      await forgetEffects(fixture, effectsOfThem);
      await fixture.shop.sql`update delivery set settle_time = null, ask_time = now()`;
      await fixture.shop.sql`update batch set settle_time = null`;
      return ids;
    }

    it("without the command takes the queue's word that a job is done, and its effects are missing", async () => {
      await restoredBefore("trusting");
      fixture.run("trusting", notes("trusting"));
      fixture.relay();
      await fixture.settled();
      expect(await effectsOf(fixture.desk, "trusting")).toEqual([]);
    });

    it("enqueues again what its outbox still has to deliver, once the queues are emptied", async () => {
      const ids = await restoredBefore("again");
      expect(await emptyQueues(fixture.jobs)).toContain("again");
      expect(await restartDeliveries(fixture.shop.sql)).toBeGreaterThan(0);
      fixture.run("again", notes("again"));
      fixture.relay();
      await fixture.settled();
      expect([...(await effectsOf(fixture.desk, "again"))].sort()).toEqual([...ids].sort());
    });

    it("never sees jobs of batches that its outbox does not know, once the queues are emptied", async () => {
      await fixture.register("no-ghosts");
      const relay = fixture.relay();
      await fixture.publish("a ghost", 1);
      relay.wake();
      await until("its job is there", async () => (await fixture.jobs.names()).includes("no-ghosts"));
      await fixture.halt();
      // The backup is older than the event: neither the outbox nor a batch knows of it. Its job waits.
      await fixture.shop.sql`delete from delivery`;
      await fixture.shop.sql`delete from batch`;
      await fixture.shop.sql`delete from outbox`;
      await emptyQueues(fixture.jobs);
      expect(await restartDeliveries(fixture.shop.sql)).toBe(0);
      fixture.run("no-ghosts", notes("no-ghosts"));
      fixture.relay();
      const real = await fixture.publish("real", 1);
      await fixture.settled();
      expect(await effectsOf(fixture.desk, "no-ghosts")).toEqual([real]);
    });

    it("brings back what was settled since, for a subscriber that was restored to an earlier time than its publisher", async () => {
      await fixture.subscription("earlier", notes("earlier"));
      fixture.relay();
      const before = await fixture.publish("before the backup", 1);
      await fixture.settled();
      const [moment] = await fixture.shop.sql<{ time: Date }[]>`select now() as time`;
      const lost = await fixture.publishMany(3);
      await fixture.settled();
      await fixture.halt();
      await fixture.desk.sql`delete from inbox where event_id <> ${before}`;
      await fixture.desk.sql`delete from effect where event_id <> ${before}`;

      await emptyQueues(fixture.jobs);
      expect(await restartDeliveries(fixture.shop.sql, { settledSince: moment?.time })).toBeGreaterThanOrEqual(1);
      fixture.run("earlier", notes("earlier"));
      fixture.relay();
      await fixture.settled();
      const had = await effectsOf(fixture.desk, "earlier");
      expect([...had].sort()).toEqual([before, ...lost].sort());
    });

    it("goes on with a queue that was emptied while its worker runs", async () => {
      await fixture.subscription("running", notes("running"));
      fixture.relay();
      const first = await fixture.publish("first", 1);
      await fixture.settled();
      await emptyQueues(fixture.jobs);
      const second = await fixture.publish("second", 1);
      await fixture.settled();
      expect(await effectsOf(fixture.desk, "running")).toEqual([first, second]);
    });
  },
);

describe("the queue of a subscription that is removed", () => {
  it("is emptied by name, and another's is not", async () => {
    const fixture = await openFixture("postgres");
    onTestFinished(() => fixture.stop());
    await fixture.jobs.add("gone", [{ id: uuidv7(), data: [] }]);
    await fixture.jobs.add("stays", [{ id: uuidv7(), data: [] }]);
    await fixture.jobs.empty("gone");
    expect(await fixture.jobs.names()).toEqual(["stays"]);
    expect(await fixture.shop.sql.begin((tx) => removeRegistration(tx, "gone"))).toBe(false);
  });
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined)
    process.stderr.write("left out, for want of redis-server: a restored Postgres, over redis\n");
});
