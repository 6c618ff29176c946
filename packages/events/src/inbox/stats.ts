import type { Sql } from "@rialto/database";

/** Stops counting here: the exact number is of no use beyond it and costs a scan. */
const countedRowsMax = 100_000;

/** What a subscriber keeps of a subscription. */
export interface SubscriberStats {
  readonly subscription: string;
  readonly paused: boolean;
  /** Pending events. */
  readonly waiting: number;
  /** When the oldest pending event was published. */
  readonly oldestTime: Date | null;
  /** Dead letters. */
  readonly dead: number;
}

/**
 * Reads the pending events, dead letters and pauses in the subscriber's schema that `sql` sees. A subscription without
 * any is left out.
 */
export async function subscriberStats(sql: Sql): Promise<readonly SubscriberStats[]> {
  return await sql<SubscriberStats[]>`
    with recursive pending (subscription) as (
      (select subscription from inbox_pending order by subscription limit 1)
      union all
      -- The next name by the index, past all rows of this one.
      select (select p.subscription from inbox_pending p where p.subscription > pending.subscription
        order by p.subscription limit 1)
      from pending where pending.subscription is not null)
    select kept.subscription, exists (select from inbox_pause p where p.subscription = kept.subscription) as paused,
      waiting.rows as waiting, waiting.oldest as "oldestTime", dead.rows as dead
    from (
      select subscription from pending where subscription is not null
      union select subscription from inbox_pause) kept
    cross join lateral (
      select count(*)::int as rows, min((envelope ->> 'time')::timestamptz) as oldest from (
        select envelope from inbox_pending p
        where p.subscription = kept.subscription and state in ('RETRY', 'UNKNOWN') limit ${countedRowsMax}) counted) waiting
    cross join lateral (
      select count(*)::int as rows from (
        select from inbox_pending p
        where p.subscription = kept.subscription and state = 'DEAD' limit ${countedRowsMax}) counted) dead
    order by kept.subscription`;
}
