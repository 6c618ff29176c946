import type { Sql, Transaction } from "@rialto/database";
import type postgres from "postgres";

/**
 * How long the inbox remembers an event: longer than a publisher's outbox keeps settled events (outbox/retention.ts).
 */
const inboxRetentionMs = 14 * 24 * 3_600_000;
/** The largest difference between the clocks of two databases. */
const clocksApartMsMax = 3_600_000;
/** Rows that one statement deletes. One writes 200 at the most (acknowledgement.ts). */
const deletedRowsMax = 1_000;

/**
 * Deletes inbox rows that are older than the retention, statement after statement until none is left or `signal`
 * aborts.
 *
 * A delivery may stay open for any time: its subscription was paused, or its job cannot be read to the end. It delivers
 * events again that had their effect. So rows of `subscription` since `openSince` (when its publishers' oldest open
 * delivery was made) are kept, however old. Rows of a subscription that is not in `running` are deleted by their age:
 * it was removed from the code and gets no events.
 */
export async function deleteOldInboxRows(
  sql: Sql,
  o: { readonly subscription: string; readonly running: readonly string[]; readonly openSince: Date | undefined },
  signal: AbortSignal,
): Promise<void> {
  const open =
    o.openSince === undefined
      ? sql``
      : sql`and time < ${o.openSince}::timestamptz - ${clocksApartMsMax} * interval '1 millisecond'`;
  const removed = (await subscriptionsIn(sql)).filter((name) => !o.running.includes(name));
  for (const name of [o.subscription, ...removed])
    for (let rows = deletedRowsMax; rows === deletedRowsMax && !signal.aborted; )
      rows = await deleteSome(sql, name, name === o.subscription ? open : sql``);
}

/** Deletes the oldest rows of one subscription. Rows of others that have to be kept are not read. */
async function deleteSome(sql: Sql, subscription: string, and: postgres.PendingQuery<postgres.Row[]>): Promise<number> {
  const deleted = await sql`
    delete from inbox where (subscription, event_id) in (
      select subscription, event_id from inbox
      where subscription = ${subscription} and time < now() - ${inboxRetentionMs} * interval '1 millisecond' ${and}
      order by time limit ${deletedRowsMax})`;
  return deleted.count;
}

/** The subscriptions that the inbox has rows of: a step of the index for each. */
async function subscriptionsIn(sql: Sql): Promise<readonly string[]> {
  const rows = await sql<{ name: string | null }[]>`
    with recursive known (name) as (
      (select subscription from inbox order by subscription limit 1)
      union all
      select (select subscription from inbox where subscription > known.name order by subscription limit 1)
      from known where known.name is not null)
    select name from known`;
  return rows.flatMap(({ name }) => name ?? []);
}

/**
 * Deletes what the subscriber's schema that `tx` sees keeps of a subscription: its pending events, its dead letters and
 * its pause. The inbox rows stay for their retention, so that no event has its effect twice should the subscription
 * come back. Returns whether anything was there.
 */
export async function removeFromInbox(tx: Transaction, subscription: string): Promise<boolean> {
  const removed = [
    await tx`delete from inbox_pending where subscription = ${subscription}`,
    await tx`delete from inbox_pause where subscription = ${subscription}`,
  ];
  return removed.some(({ count }) => count > 0);
}
