import type { Sql } from "@rialto/database";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acknowledgedRowsMax } from "../src/inbox/acknowledgement.ts";
import { deleteOldInboxRows } from "../src/inbox/retention.ts";
import { claimBatch, relayBatchRowsMax } from "../src/outbox/claim.ts";
import { deleteSettledBatches } from "../src/outbox/retention.ts";
import { openDeliverySince } from "../src/outbox/stats.ts";
import { type Fixture, openFixture, redis, until } from "./fixture.ts";

/** Nothing stops. */
const still = new AbortController().signal;

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
    await claimBatch(sql, { hasInbox: false });
    await sql`update batch set settle_time = now() - interval '4 days'`;
    await fixture.publish("settled today", 1);
    await claimBatch(sql, { hasInbox: false });
    await fixture.register("somebody");
    await fixture.publish("open", 1);
    await claimBatch(sql, { hasInbox: false });
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
    await deleteOldInboxRows(sql, { subscription: "one", running: ["one", "two"], openSince: undefined }, still);
    // What the other one remembers is for its own sweep to forget: it knows of its own publishers.
    expect(await remembered()).toEqual(["one", "two"]);
    await sql`delete from inbox`;
  });

  it("remembers, however old, what an open delivery may bring again", async () => {
    const { shop, desk } = fixture;
    await shop.sql`update delivery set settle_time = now()`;
    await fixture.register("paused");
    await fixture.publish("handled before the pause", 1);
    await claimBatch(shop.sql, { hasInbox: false });
    await shop.sql`update batch set create_time = now() - interval '40 days' where settle_time is null`;
    const openSince = await openDeliverySince(shop.sql, "paused");
    await desk.sql`
      insert into inbox (subscription, event_id, time)
      values ('paused', gen_random_uuid(), now() - interval '39 days'), ('paused', gen_random_uuid(), now() - interval '41 days')`;
    await deleteOldInboxRows(desk.sql, { subscription: "paused", running: ["paused"], openSince }, still);
    expect(await remembered()).toEqual(["paused"]);
    await shop.sql`update delivery set settle_time = now() where subscription = 'paused'`;
    expect(await openDeliverySince(shop.sql, "paused")).toBeUndefined();
    const closed = { subscription: "paused", running: ["paused"], openSince: undefined };
    await deleteOldInboxRows(desk.sql, closed, still);
    expect(await remembered()).toEqual([]);
  });
});

/**
 * Sweeps run while events come in as fast as they can: before each of their statements, a statement of the path writes
 * all that it may, and it is due at once. A sweep that does not remove more than that never ends.
 */
describe("a sweep that begins far behind", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture("postgres");
  });
  afterAll(() => fixture.stop());

  const behind = 20;

  it("catches up with the inbox, however many events are acknowledged meanwhile", async () => {
    const { sql } = fixture.desk;
    const acknowledge = async (statements: number) => {
      await sql`
        insert into inbox (subscription, event_id, time) select 'one', gen_random_uuid(), now() - interval '15 days'
        from generate_series(1, ${statements * acknowledgedRowsMax}::int)`;
    };
    await acknowledge(behind);
    let deletions = 0;
    const busy: Sql = new Proxy(sql, {
      apply(_target, _this, [text, ...values]: [TemplateStringsArray, ...never[]]) {
        const query = () => sql(text, ...values);
        if (!/^\s*delete/.test(String(text[0]))) return query();
        deletions += 1;
        return acknowledge(1).then(query);
      },
    });
    const one = { subscription: "one", running: ["one"], openSince: undefined };
    await deleteOldInboxRows(
      busy,
      one,
      abortedWhen(() => deletions > behind),
    );
    expect(await sql`select 1 from inbox`).toHaveLength(0);
    expect(deletions).toBeLessThan(behind);
  });

  it("catches up with the outbox, though the relay fills a batch for each of its statements", async () => {
    const { sql } = fixture.shop;
    const settle = async (batches: number) => {
      await sql`
        with settled as (
          insert into batch (id, create_time, settle_time)
          select gen_random_uuid(), now() - interval '5 days', now() - interval '4 days' from generate_series(1, ${batches}::int)
          returning id)
        insert into outbox (event_id, topic, subject, version, payload, batch_id)
        select gen_random_uuid(), 'shop.sold', 's', 1, '{}', id from settled, generate_series(1, ${relayBatchRowsMax}::int)`;
    };
    await settle(behind * 10);
    let deletions = 0;
    for (let isMore = true; isMore && deletions < behind; deletions += 1) {
      await settle(1);
      isMore = await deleteSettledBatches(sql);
    }
    expect(await sql`select 1 from outbox`).toHaveLength(0);
    expect(deletions).toBeLessThan(behind);
  });

  it("is done by the relay in one go, not a statement a minute", async () => {
    const { sql } = fixture.shop;
    await sql`
      insert into batch (id, create_time, settle_time)
      select gen_random_uuid(), now() - interval '5 days', now() - interval '4 days' from generate_series(1, 1000)`;
    const relay = fixture.relay();
    await until("the old batches are gone", async () => (await sql`select 1 from batch`).length === 0);
    await relay.stop();
  });
});

function abortedWhen(isSo: () => boolean): AbortSignal {
  return {
    get aborted() {
      return isSo();
    },
  } as AbortSignal; // the loop reads nothing else of it
}
