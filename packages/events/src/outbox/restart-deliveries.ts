import type { Sql, Transaction } from "@rialto/database";
import type { Jobs } from "../queue/jobs.ts";

/**
 * Forgets every job of every queue. To be done when the queue and the databases tell of different times: what a restored outbox still owes is sent
 * again from there. Answers the queues that were emptied.
 */
export async function emptyQueues(jobs: Jobs): Promise<readonly string[]> {
  const names = await jobs.names();
  for (const name of names) await jobs.empty(name);
  return [...names].sort();
}

/**
 * Marks every open delivery of the publisher whose schema `sql` sees to be sent anew, under ids that no queue has heard of: whatever an old job became, its
 * word does not count. With `settledSince` also what was settled after that moment is open again, for a subscriber that was restored to an
 * earlier time than its publisher. Answers how many deliveries are open then.
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
