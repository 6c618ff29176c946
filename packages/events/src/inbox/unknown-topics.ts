import type { Sql } from "@rialto/database";
import { isAmong } from "../event/topics.ts";
import { advanceCursors } from "./cursor.ts";
import type { Subscription } from "./subscription.ts";

/** An event that no running version would have is kept for so long: longer than a version that was rolled back takes to come again. */
const unknownRetentionMs = 7 * 24 * 3_600_000;
/** Events that one statement takes up, or passes over. */
const rowsMax = 1_000;

type Of = Pick<Subscription, "name" | "topics" | "ordered">;

/**
 * While a new version rolls out, a replica of the old one gets events of topics that only the new one knows: a subscription has one
 * queue. It puts them aside (UNKNOWN) and its job is done; the new version takes them up here, to try each alone. Answers whether
 * there may be more.
 */
export async function takeUpUnknown(sql: Sql, { name, topics, ordered }: Of): Promise<boolean> {
  const seen = sql`select version from inbox_cursor c where c.subscription = p.subscription and c.subject = p.subject`;
  const state = ordered
    ? sql`case when version > 1 + coalesce((${seen}), 0) then 'PARKED' else 'RETRY' end`
    : sql`'RETRY'`;
  const taken = await sql`
    update inbox_pending p set state = ${state}, next_time = now(), update_time = now()
    where (subscription, event_id) in (
      select subscription, event_id from inbox_pending
      where subscription = ${name} and state = 'UNKNOWN' and ${isAmong(sql, topics)}
      order by next_time limit ${rowsMax} for update skip locked)`;
  return taken.count === rowsMax;
}

/** What was passed over of one topic. */
export interface PassedOver {
  readonly topic: string;
  readonly events: number;
}

/**
 * Settles without their effect the events whose time came long ago and whom nobody took who knows their topic: it is none of the
 * subscription any more. The inbox says that they are done with, and in an ordered subscription their subject goes on. What a newer
 * version is at work on has a younger time, dead letters stay a person's. Answers what it was, by topic, and whether there may be more.
 */
export async function passOverUnknown(
  sql: Sql,
  { name, topics, ordered }: Of,
): Promise<{ passed: readonly PassedOver[]; more: boolean }> {
  // The first of each subject: what waits behind it has its own turn.
  const first = sql`and not exists (
    select from inbox_pending e where e.subscription = p.subscription and e.subject = p.subject and e.version < p.version)`;
  const gone = await sql.begin(async (tx) => {
    const gone = await tx<{ id: string; topic: string; subject: string; version: number }[]>`
      delete from inbox_pending where (subscription, event_id) in (
        select subscription, event_id from inbox_pending p
        where subscription = ${name} and state <> 'DEAD' and not ${isAmong(tx, topics)}
          and next_time < now() - ${unknownRetentionMs} * interval '1 millisecond' ${ordered ? first : sql``}
        order by next_time limit ${rowsMax} for update skip locked)
      returning event_id as id, topic, subject, version`;
    if (gone.length === 0) return gone;
    await tx`
      insert into inbox (subscription, event_id) select ${name}, * from unnest(${gone.map(({ id }) => id)}::uuid[])
      on conflict (subscription, event_id) do nothing`;
    if (ordered) await advanceCursors(tx, name, gone);
    return gone;
  });
  const byTopic = Map.groupBy(gone, ({ topic }) => topic);
  const passed = [...byTopic].map(([topic, events]) => ({ topic, events: events.length }));
  return { passed, more: ordered ? gone.length > 0 : gone.length === rowsMax };
}
