import type { Sql } from "@rialto/database";

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
    select subscription, bool_or(paused) as paused, sum(waiting)::int as waiting, min(oldest) as "oldestTime",
      sum(dead)::int as dead
    from (
      select subscription, false as paused, (count(*) filter (where state <> 'DEAD')) as waiting,
        min((envelope ->> 'time')::timestamptz) filter (where state <> 'DEAD') as oldest,
        (count(*) filter (where state = 'DEAD')) as dead
      from inbox_pending group by subscription
      union all
      select subscription, true, 0, null, 0 from inbox_pause) kept
    group by subscription order by subscription`;
}
