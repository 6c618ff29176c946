import type { Sql } from "@rialto/database";
import { isAmong } from "../event/topics.ts";
import type { Subscription } from "./subscription.ts";

/**
 * How long an event is kept that no running version handles: longer than a version that was rolled back takes to be
 * deployed again.
 */
const quarantineMs = 7 * 24 * 3_600_000;
/** Events that one statement reclaims or expires. */
const rowsMax = 1_000;

type Topics = Pick<Subscription, "name" | "topics">;

/**
 * Reclaims quarantined events whose topic this version knows, to handle each by itself. During a roll-out, replicas of
 * the old version get events of topics that only the new one knows, because a subscription has one queue. They
 * quarantine them (UNKNOWN), and their job is done. Returns whether there may be more.
 */
export async function reclaimQuarantined(sql: Sql, { name, topics }: Topics): Promise<boolean> {
  const reclaimed = await sql`
    update inbox_pending set state = 'RETRY', next_time = now(), update_time = now()
    where (subscription, event_id) in (
      select subscription, event_id from inbox_pending
      where subscription = ${name} and state = 'UNKNOWN' and ${isAmong(sql, topics)}
      order by next_time limit ${rowsMax} for update skip locked)`;
  return reclaimed.count === rowsMax;
}

/** The events of one topic that expired. */
export interface ExpiredEvents {
  readonly topic: string;
  readonly events: number;
}

/**
 * Settles events without their effect that have been due for `quarantineMs` and whose topic this version does not know:
 * the subscription has dropped the topic. The inbox says that they are done. Events that a newer version handles were
 * due more recently; dead letters stay for an operator. Returns what expired, by topic, and whether there may be more.
 */
export async function expireQuarantined(
  sql: Sql,
  { name, topics }: Topics,
): Promise<{ expired: readonly ExpiredEvents[]; more: boolean }> {
  const gone = await sql.begin(async (tx) => {
    const gone = await tx<{ id: string; topic: string }[]>`
      delete from inbox_pending where (subscription, event_id) in (
        select subscription, event_id from inbox_pending
        where subscription = ${name} and state <> 'DEAD' and not ${isAmong(tx, topics)}
          and next_time < now() - ${quarantineMs} * interval '1 millisecond'
        order by next_time limit ${rowsMax} for update skip locked)
      returning event_id as id, topic`;
    if (gone.length === 0) return gone;
    await tx`
      insert into inbox (subscription, event_id) select ${name}, * from unnest(${gone.map(({ id }) => id)}::uuid[])
      on conflict (subscription, event_id) do nothing`;
    return gone;
  });
  const byTopic = Map.groupBy(gone, ({ topic }) => topic);
  const expired = [...byTopic].map(([topic, events]) => ({ topic, events: events.length }));
  return { expired, more: gone.length === rowsMax };
}
