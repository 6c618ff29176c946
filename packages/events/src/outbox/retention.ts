import type { Sql } from "@rialto/database";

/**
 * Settled events are kept so long: for who looks into an order's story, and shorter than the inbox remembers
 * (inbox-sweep.ts).
 */
const outboxRetentionMs = 3 * 24 * 3_600_000;
/** Batches that one statement removes, each with the up to 100 events that it carried. */
const sweepBatchesMax = 50;
/** A batch that has no open delivery for so long was left by a relay that died while it settled. */
const forgottenAfterMs = 60_000;

/** Removes a little of what has been settled longer than the retention. Answers whether there may be more. */
export async function sweepOutbox(sql: Sql): Promise<boolean> {
  await sql`
    update batch set settle_time = now()
    where settle_time is null and create_time < now() - ${forgottenAfterMs} * interval '1 millisecond'
      and not exists (select from delivery where batch_id = batch.id and settle_time is null)`;
  const swept = await sql`
    with old as materialized (
      select id from batch where settle_time < now() - ${outboxRetentionMs} * interval '1 millisecond'
      order by settle_time limit ${sweepBatchesMax} for update skip locked),
    events as (delete from outbox where batch_id = any (array(select id from old)))
    delete from batch where id = any (array(select id from old))`;
  return swept.count === sweepBatchesMax;
}
