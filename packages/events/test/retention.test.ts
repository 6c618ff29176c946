import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deleteOldInboxRows } from "../src/inbox/retention.ts";
import { claimBatch } from "../src/outbox/claim.ts";
import { deleteSettledBatches } from "../src/outbox/retention.ts";
import { openDeliverySince } from "../src/outbox/stats.ts";
import { type Fixture, openFixture, redis } from "./fixture.ts";

describe("what is kept, and how long", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture("postgres");
  });
  afterAll(async () => {
    await fixture.stop();
    await redis?.close();
  });

  it("removes settled events after their time, and never one that is not settled", async () => {
    const { sql } = fixture.shop;
    await fixture.publish("settled long ago", 1);
    await claimBatch(sql);
    await sql`update batch set settle_time = now() - interval '4 days'`;
    await fixture.publish("settled today", 1);
    await claimBatch(sql);
    await fixture.register("somebody");
    await fixture.publish("open", 1);
    await claimBatch(sql);
    await fixture.publish("unsent", 1);
    expect(await deleteSettledBatches(sql)).toBe(false);
    const left = await sql<{ subject: string }[]>`select subject from outbox order by id`;
    expect(left.map(({ subject }) => subject)).toEqual(["settled today", "open", "unsent"]);
    expect(await sql`select 1 from batch`).toHaveLength(2);
  });

  it("settles a batch whose relay died between its last delivery and itself", async () => {
    const { sql } = fixture.shop;
    await sql`update delivery set settle_time = now()`;
    await sql`update batch set create_time = now() - interval '2 minutes'`;
    await deleteSettledBatches(sql);
    expect(await sql`select 1 from batch where settle_time is null`).toHaveLength(0);
  });

  const remembered = async () => {
    const left = await fixture.desk.sql<
      { subscription: string }[]
    >`select subscription from inbox order by subscription`;
    return left.map(({ subscription }) => subscription);
  };

  it("forgets an event only long after its publisher can send it again", async () => {
    const { sql } = fixture.desk;
    await sql`
      insert into inbox (subscription, event_id, time)
      values ('one', gen_random_uuid(), now() - interval '15 days'), ('one', gen_random_uuid(), now() - interval '13 days'),
        ('gone', gen_random_uuid(), now() - interval '15 days'), ('two', gen_random_uuid(), now() - interval '15 days')`;
    const swept = await deleteOldInboxRows(sql, { subscription: "one", running: ["one", "two"], openSince: undefined });
    expect(swept).toBe(false);
    // What the other one remembers is for its own sweep to forget: it knows of its own publishers.
    expect(await remembered()).toEqual(["one", "two"]);
    await sql`delete from inbox`;
  });

  it("remembers, however old, what an open delivery may bring again", async () => {
    const { shop, desk } = fixture;
    await shop.sql`update delivery set settle_time = now()`;
    await fixture.register("paused");
    await fixture.publish("handled before the pause", 1);
    await claimBatch(shop.sql);
    await shop.sql`update batch set create_time = now() - interval '40 days' where settle_time is null`;
    const openSince = await openDeliverySince(shop.sql, "paused");
    await desk.sql`
      insert into inbox (subscription, event_id, time)
      values ('paused', gen_random_uuid(), now() - interval '39 days'), ('paused', gen_random_uuid(), now() - interval '41 days')`;
    await deleteOldInboxRows(desk.sql, { subscription: "paused", running: ["paused"], openSince });
    expect(await remembered()).toEqual(["paused"]);
    await shop.sql`update delivery set settle_time = now() where subscription = 'paused'`;
    expect(await openDeliverySince(shop.sql, "paused")).toBeUndefined();
    await deleteOldInboxRows(desk.sql, { subscription: "paused", running: ["paused"], openSince: undefined });
    expect(await remembered()).toEqual([]);
  });
});
