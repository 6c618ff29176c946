import type { JsonValue } from "@bufbuild/protobuf";
import type { Sql, Transaction } from "@rialto/database";
import { type Envelope, openEnvelope } from "../event/envelope.ts";
import { isAmong } from "../event/topics.ts";
import type { Failures, Setback } from "./handler-outcome.ts";
import type { Subscription } from "./subscription.ts";

/** Events of a subscription that one process tries alone at a time. */
export const pendingAtOnceMax = 16;
/** Who takes an event has it for so long. Longer than a handler may run; only a process that died lets it pass. */
const pendingLeaseMs = 40_000;
/**
 * An ordered subscription that meets a subject in the middle of its life (it was registered later) begins with the
 * lowest version that has waited so long. Long beside any outage that could still hold back an earlier one.
 */
const orderedStartWaitMs = 300_000;

/** An event that is tried alone. */
export interface PendingEvent extends Failures {
  readonly envelope: Envelope;
  /** Until when it is lent to this process, as Postgres writes it, and when it was taken (ms, `performance.now`). */
  readonly lease: string;
  readonly claimedAt: number;
}

/** Which of these events had their effect already, or have left their batch to be tried alone. */
export async function takenOver(sql: Sql, subscription: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await sql<{ id: string }[]>`
    select event_id as id from inbox where subscription = ${subscription} and event_id = any (${[...ids]}::uuid[])
    union all
    select event_id from inbox_pending where subscription = ${subscription} and event_id = any (${[...ids]}::uuid[])`;
  return new Set(rows.map(({ id }) => id));
}

/** Takes an event that failed out of its batch. */
export async function holdBack(
  sql: Sql | Transaction,
  subscription: string,
  envelope: Envelope,
  setback: Setback,
): Promise<void> {
  await insertPending(sql, subscription, envelope, setback);
}

/** Puts an event aside that came before its predecessor. */
export async function park(sql: Sql | Transaction, subscription: string, envelope: Envelope): Promise<void> {
  await insertPending(sql, subscription, envelope, { ...untried, state: "PARKED" });
}

/** Puts an event aside whose topic this version does not know (unknown-topics.ts). */
export async function putAside(sql: Sql, subscription: string, envelope: Envelope): Promise<void> {
  await insertPending(sql, subscription, envelope, { ...untried, state: "UNKNOWN" });
}

const untried = { attempts: 0, outages: 0, delayMs: 0, lastError: null };

async function insertPending(
  sql: Sql | Transaction,
  subscription: string,
  { id, topic, subject, version, json }: Envelope,
  row: Omit<Setback, "state" | "lastError"> & {
    state: "RETRY" | "PARKED" | "UNKNOWN" | "DEAD";
    lastError: string | null;
  },
): Promise<void> {
  await sql`
    insert into inbox_pending (subscription, event_id, state, topic, subject, version, envelope, attempts, outages,
      next_time, last_error)
    values (${subscription}, ${id}, ${row.state}, ${topic}, ${subject}, ${version}, ${JSON.stringify(json)}::text::jsonb,
      ${row.attempts}, ${row.outages}, now() + ${row.delayMs}::float8 * interval '1 millisecond', ${row.lastError})
    on conflict (subscription, event_id) do nothing`;
}

/**
 * Takes events whose time to be tried again has come and, in an ordered subscription, parked ones whose turn has come. What a newer
 * version put there, of a topic that this one does not know, is left to it. Takes at most `limit`.
 */
export async function claimPending(
  sql: Sql,
  { name, topics, ordered }: Pick<Subscription, "name" | "topics" | "ordered">,
  limit = pendingAtOnceMax,
): Promise<readonly PendingEvent[]> {
  const claimedAt = performance.now();
  const ready = ordered ? sql`or (state = 'PARKED' and ${itsTurn(sql)})` : sql``;
  const rows = await sql<{ envelope: JsonValue; attempts: number; outages: number; lease: string }[]>`
    update inbox_pending set next_time = now() + ${pendingLeaseMs} * interval '1 millisecond'
    where (subscription, event_id) in (
      select subscription, event_id from inbox_pending p
      where subscription = ${name} and state in ('RETRY', 'PARKED') and next_time <= now()
        and (state = 'RETRY' ${ready}) and ${isAmong(sql, topics)}
      order by next_time limit ${limit} for update skip locked)
    returning envelope, attempts, outages, next_time::text as lease`;
  return rows.map(({ envelope, ...row }) => ({ envelope: openEnvelope(envelope), ...row, claimedAt }));
}

/** Lends an event to this process anew, from now. Answers whether it was still lent to it: if not, another one has it, or it is done with. */
export async function renewLease(sql: Sql, subscription: string, { envelope, lease }: PendingEvent): Promise<boolean> {
  const renewed = await sql`
    update inbox_pending set next_time = now() + ${pendingLeaseMs} * interval '1 millisecond'
    where subscription = ${subscription} and event_id = ${envelope.id} and next_time = ${lease}::text::timestamptz`;
  return renewed.count === 1;
}

function itsTurn(sql: Sql) {
  const cursor = sql`select from inbox_cursor c where c.subscription = p.subscription and c.subject = p.subject`;
  return sql`(
    exists (${cursor} and c.version >= p.version - 1)
    or (create_time < now() - ${orderedStartWaitMs} * interval '1 millisecond' and not exists (${cursor})
      and not exists (select from inbox_pending e
        where e.subscription = p.subscription and e.subject = p.subject and e.version < p.version)))`;
}

/** Writes down that an event failed again. */
export async function failAgain(sql: Sql, subscription: string, eventId: string, setback: Setback): Promise<void> {
  await sql`
    update inbox_pending set state = ${setback.state}, attempts = ${setback.attempts}, outages = ${setback.outages},
      next_time = now() + ${setback.delayMs}::float8 * interval '1 millisecond', last_error = ${setback.lastError},
      update_time = now()
    where subscription = ${subscription} and event_id = ${eventId}`;
}

/** Gives back events that were not tried after all. */
export async function release(sql: Sql, subscription: string, eventIds: readonly string[]): Promise<void> {
  await sql`
    update inbox_pending set next_time = now()
    where subscription = ${subscription} and event_id = any (${[...eventIds]}::uuid[])`;
}
