import type { Sql, Transaction } from "@rialto/database";
import type { Jobs } from "../queue/jobs.ts";

/**
 * Deletes every job of every queue. Needed when the queue and the databases are of different times: what a restored
 * outbox still has to deliver is enqueued again from there. Returns the names of the queues.
 */
export async function emptyQueues(jobs: Jobs): Promise<readonly string[]> {
  const names = await jobs.names();
  for (const name of names) await jobs.empty(name);
  return [...names].sort();
}

/**
 * Gives every open delivery of the publisher whose schema `sql` sees a new job id, under which it is enqueued again.
 * What became of the old job does not count. With `settledSince`, deliveries that were settled since then are open
 * again too, for a subscriber that was restored to an earlier time than its publisher. Returns how many deliveries are
 * open then.
 */
export async function restartDeliveries(
  sql: Sql | Transaction,
  o: { readonly settledSince?: Date | undefined } = {},
): Promise<number> {
  const again = o.settledSince === undefined ? sql`` : sql`or settle_time >= ${o.settledSince}`;
  const [restarted] = await sql<{ deliveries: number }[]>`
    with restarted as (
      update delivery set settle_time = null, attempt = attempt + 1, ask_time = now()
      where settle_time is null ${again} returning batch_id),
    opened as (update batch set settle_time = null where id in (select batch_id from restarted) and settle_time is not null)
    select count(*)::int as deliveries from restarted`;
  return restarted?.deliveries ?? 0;
}
