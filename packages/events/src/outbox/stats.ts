import type { Sql } from "@rialto/database";

/** Stops counting here: the exact number is of no use beyond it and costs a scan. */
const lagCountedMax = 100_000;

/** What a publisher keeps of a subscription that is registered with it. */
export interface PublisherStats {
  readonly subscription: string;
  readonly topics: readonly string[];
  /** Its events that are not delivered yet. */
  readonly lag: number;
  /** When the oldest of them was published. */
  readonly oldestTime: Date | null;
}

/** Reads the lag of each registered subscription, in the publisher's schema that `sql` sees. */
export async function publisherStats(sql: Sql): Promise<readonly PublisherStats[]> {
  return await sql<PublisherStats[]>`
    select r.subscription, r.topics, open.lag, open.oldest as "oldestTime"
    from (
      select subscription, topics from registration
      union all
      -- Not registered any more, and with open deliveries.
      select subscription, '{}' from delivery
      where settle_time is null and subscription not in (select subscription from registration)
      group by subscription) r
    cross join lateral (
      select count(*)::int as lag, min(time) as oldest from (
        (select time from outbox where batch_id is null and ${wanted(sql, "r")} limit ${lagCountedMax})
        union all
        (select o.time from delivery d join outbox o on o.batch_id = d.batch_id
          where d.settle_time is null and d.subscription = r.subscription and ${wanted(sql, "d")}
          order by d.ask_time limit ${lagCountedMax})) events) open
    order by r.subscription`;
}

/** The SQL of `coversTopic` (event/topics.ts). */
function wanted(sql: Sql, by: "r" | "d") {
  const topics = sql(`${by}.topics`);
  return sql`(topic = any (${topics}) or split_part(topic, '.', 1) || '.*' = any (${topics}))`;
}

/** What a publisher still has to deliver. */
export interface OutboxLag {
  /** Events that are in no batch yet. */
  readonly unsent: number;
  /** Deliveries that the queue has not reported as done. */
  readonly unsettled: number;
}

/** Counts what is not delivered yet, in the schema that `sql` sees. */
export async function outboxLag(sql: Sql): Promise<OutboxLag> {
  const [lag] = await sql<OutboxLag[]>`
    select (select count(*)::int from outbox where batch_id is null) as unsent,
      (select count(*)::int from delivery where settle_time is null) as unsettled`;
  return lag ?? { unsent: 0, unsettled: 0 };
}

/** Returns whether every published event has been delivered to all its subscriptions. */
export async function outboxIsSettled(sql: Sql): Promise<boolean> {
  const { unsent, unsettled } = await outboxLag(sql);
  return unsent === 0 && unsettled === 0;
}

/**
 * Returns when the oldest open delivery to a subscription was made, in the publisher's schema that `sql` sees;
 * undefined where none is open.
 */
export async function openDeliverySince(sql: Sql, subscription: string): Promise<Date | undefined> {
  const [oldest] = await sql<{ time: Date | null }[]>`
    select min(b.create_time) as time from delivery d join batch b on b.id = d.batch_id
    where d.settle_time is null and d.subscription = ${subscription}`;
  return oldest?.time ?? undefined;
}
