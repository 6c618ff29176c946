import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sweepInbox } from "../src/inbox-sweep.ts";
import { sweepOutbox } from "../src/outbox-sweep.ts";
import { claimBatch } from "../src/relay-send.ts";
import { openWorld, redis, type World } from "./world.ts";

describe("what is kept, and how long", () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld("postgres");
  });
  afterAll(async () => {
    await world.stop();
    await redis?.close();
  });

  it("removes settled events after their time, and never one that is not settled", async () => {
    const { sql } = world.shop;
    await world.publish("settled long ago", 1);
    await claimBatch(sql);
    await sql`update batch set settle_time = now() - interval '4 days'`;
    await world.publish("settled today", 1);
    await claimBatch(sql);
    await world.register("somebody");
    await world.publish("open", 1);
    await claimBatch(sql);
    await world.publish("unsent", 1);
    expect(await sweepOutbox(sql)).toBe(false);
    const left = await sql<{ subject: string }[]>`select subject from outbox order by id`;
    expect(left.map(({ subject }) => subject)).toEqual(["settled today", "open", "unsent"]);
    expect(await sql`select 1 from batch`).toHaveLength(2);
  });

  it("settles a batch whose relay died between its last delivery and itself", async () => {
    const { sql } = world.shop;
    await sql`update delivery set settle_time = now()`;
    await sql`update batch set create_time = now() - interval '2 minutes'`;
    await sweepOutbox(sql);
    expect(await sql`select 1 from batch where settle_time is null`).toHaveLength(0);
  });

  it("forgets an event only long after its publisher can send it again", async () => {
    const { sql } = world.desk;
    await sql`
      insert into inbox (subscription, event_id, time)
      values ('old', gen_random_uuid(), now() - interval '15 days'), ('new', gen_random_uuid(), now() - interval '13 days')`;
    expect(await sweepInbox(sql)).toBe(false);
    const left = await sql<{ subscription: string }[]>`select subscription from inbox`;
    expect(left.map(({ subscription }) => subscription)).toEqual(["new"]);
  });
});
