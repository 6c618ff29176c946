import type { Sql } from "@rialto/database";

/** An event is known for so long: longer than a publisher's outbox keeps what is settled (outbox-sweep.ts). */
const inboxRetentionMs = 14 * 24 * 3_600_000;
/** The clocks of two databases may be so far apart. */
const clocksApartMsMax = 3_600_000;
const sweepRowsMax = 1_000;

/**
 * Removes a little of what the inbox need not remember any more. Answers whether there may be more.
 *
 * A delivery may stay open for longer than any time that is set: its subscription was paused, its job cannot be read to its end. It brings events again
 * that had their effect, so what `subscription` remembers since `openSince` (when its publishers' oldest open delivery was made) is kept, however old. A
 * subscription that is not one of `running` was taken out of the code: it gets nothing any more, and its rows go by their time.
 */
export async function sweepInbox(
  sql: Sql,
  o: { readonly subscription: string; readonly running: readonly string[]; readonly openSince: Date | undefined },
): Promise<boolean> {
  const old = sql`time < now() - ${inboxRetentionMs} * interval '1 millisecond'`;
  const open =
    o.openSince === undefined
      ? sql``
      : sql`and time < ${o.openSince}::timestamptz - ${clocksApartMsMax} * interval '1 millisecond'`;
  const swept = await sql`
    delete from inbox where (subscription, event_id) in (
      select subscription, event_id from inbox
      where ${old} and ((subscription = ${o.subscription} ${open}) or not subscription = any (${[...o.running]}))
      order by time limit ${sweepRowsMax})`;
  return swept.count === sweepRowsMax;
}
