import type { Sql } from "@rialto/database";

/** An event is known for so long: longer than a publisher's outbox can bring it again (outbox-sweep.ts). */
const inboxRetentionMs = 14 * 24 * 3_600_000;
const sweepRowsMax = 1_000;

/** Removes a little of what the inbox need not remember any more. Answers whether there may be more. */
export async function sweepInbox(sql: Sql): Promise<boolean> {
  const swept = await sql`
    delete from inbox where (subscription, event_id) in (
      select subscription, event_id from inbox
      where time < now() - ${inboxRetentionMs} * interval '1 millisecond' order by time limit ${sweepRowsMax})`;
  return swept.count === sweepRowsMax;
}
