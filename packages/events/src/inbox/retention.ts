import type { Sql, Transaction } from "@rialto/database";

/**
 * How long the inbox remembers an event: longer than a publisher's outbox keeps settled events (outbox/retention.ts).
 */
const inboxRetentionMs = 14 * 24 * 3_600_000;
/** The largest difference between the clocks of two databases. */
const clocksApartMsMax = 3_600_000;
const deletedRowsMax = 1_000;

/**
 * Deletes a limited number of inbox rows that are older than the retention. Returns whether there may be more.
 *
 * A delivery may stay open for any time: its subscription was paused, or its job cannot be read to the end. It delivers
 * events again that had their effect. So rows of `subscription` since `openSince` (when its publishers' oldest open
 * delivery was made) are kept, however old. Rows of a subscription that is not in `running` are deleted by their age:
 * it was removed from the code and gets no events.
 */
export async function deleteOldInboxRows(
  sql: Sql,
  o: { readonly subscription: string; readonly running: readonly string[]; readonly openSince: Date | undefined },
): Promise<boolean> {
  const old = sql`time < now() - ${inboxRetentionMs} * interval '1 millisecond'`;
  const open =
    o.openSince === undefined
      ? sql``
      : sql`and time < ${o.openSince}::timestamptz - ${clocksApartMsMax} * interval '1 millisecond'`;
  const deleted = await sql`
    delete from inbox where (subscription, event_id) in (
      select subscription, event_id from inbox
      where ${old} and ((subscription = ${o.subscription} ${open}) or not subscription = any (${[...o.running]}))
      order by time limit ${deletedRowsMax})`;
  return deleted.count === deletedRowsMax;
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
