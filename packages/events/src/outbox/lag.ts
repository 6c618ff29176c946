import type { Sql } from "@rialto/database";

/** What a publisher still has to do. */
export interface OutboxLag {
  /** Events that no batch has taken. */
  readonly unsent: number;
  /** Deliveries that the queue has not reported as done. */
  readonly unsettled: number;
}

/** Counts what is on its way, in the schema that `sql` sees. */
export async function outboxLag(sql: Sql): Promise<OutboxLag> {
  const [lag] = await sql<OutboxLag[]>`
    select (select count(*)::int from outbox where batch_id is null) as unsent,
      (select count(*)::int from delivery where settle_time is null) as unsettled`;
  return lag ?? { unsent: 0, unsettled: 0 };
}

/** Whether every event that was published has been taken over by all its subscriptions. */
export async function outboxIsSettled(sql: Sql): Promise<boolean> {
  const { unsent, unsettled } = await outboxLag(sql);
  return unsent === 0 && unsettled === 0;
}

/** Since when the oldest delivery to a subscription is open, in the publisher's schema that `sql` sees; undefined where none is. */
export async function openDeliverySince(sql: Sql, subscription: string): Promise<Date | undefined> {
  const [oldest] = await sql<{ time: Date | null }[]>`
    select min(b.create_time) as time from delivery d join batch b on b.id = d.batch_id
    where d.settle_time is null and d.subscription = ${subscription}`;
  return oldest?.time ?? undefined;
}
