import type { Sql } from "@rialto/database";

/** Beyond this a publisher stops counting: that far behind, the exact number helps nobody and costs a scan. */
const lagCountedMax = 100_000;

/** What a publisher keeps of a subscription that is registered with it. */
export interface PublisherFigures {
  readonly subscription: string;
  readonly topics: readonly string[];
  /** Its events that have not been handed over yet, and when the oldest of them was published. */
  readonly lag: number;
  readonly oldestTime: Date | null;
}

/** What a subscriber keeps of a subscription. */
export interface SubscriberFigures {
  readonly subscription: string;
  readonly paused: boolean;
  /** Events that wait to be tried alone, and when the oldest of them was published. */
  readonly waiting: number;
  readonly oldestTime: Date | null;
  readonly dead: number;
}

/** Reads how far behind each registered subscription is, in the publisher's schema that `sql` sees. */
export async function publisherFigures(sql: Sql): Promise<readonly PublisherFigures[]> {
  return await sql<PublisherFigures[]>`
    select r.subscription, r.topics, open.lag, open.oldest as "oldestTime"
    from (
      select subscription, topics from registration
      union all
      -- Registered no more, and still waited for.
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

/** As `coversTopic` of topics.ts says it. */
function wanted(sql: Sql, by: "r" | "d") {
  const topics = sql(`${by}.topics`);
  return sql`(topic = any (${topics}) or split_part(topic, '.', 1) || '.*' = any (${topics}))`;
}

/** Reads what stands aside or is paused, in the subscriber's schema that `sql` sees. A subscription that has nothing of it is left out. */
export async function subscriberFigures(sql: Sql): Promise<readonly SubscriberFigures[]> {
  return await sql<SubscriberFigures[]>`
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
