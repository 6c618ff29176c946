import type { Sql } from "@rialto/database";

/** How long settled events are kept, for inspection. Shorter than the inbox remembers them (inbox/retention.ts). */
const outboxRetentionMs = 3 * 24 * 3_600_000;
/** Batches that one statement deletes, each with its events, up to 100. A relay writes one in a statement. */
const deletedBatchesMax = 50;
/** Age from which an open batch without an open delivery was left by a relay that died while it settled. */
const forgottenAfterMs = 60_000;

/**
 * Deletes a limited number of batches that were settled longer ago than the retention. Returns whether there may be
 * more.
 */
export async function deleteSettledBatches(sql: Sql): Promise<boolean> {
  await sql`
    update batch set settle_time = now()
    where settle_time is null and create_time < now() - ${forgottenAfterMs} * interval '1 millisecond'
      and not exists (select from delivery where batch_id = batch.id and settle_time is null)`;
  const deleted = await sql`
    with old as materialized (
      select id from batch where settle_time < now() - ${outboxRetentionMs} * interval '1 millisecond'
      order by settle_time limit ${deletedBatchesMax} for update skip locked),
    events as (delete from outbox where batch_id = any (array(select id from old)))
    delete from batch where id = any (array(select id from old))`;
  return deleted.count === deletedBatchesMax;
}
