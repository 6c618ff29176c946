import type { JsonValue } from "@bufbuild/protobuf";
import type { Sql } from "@rialto/database";
import { type Envelope, openEnvelope } from "../event/envelope.ts";
import { isAmong } from "../event/topics.ts";
import type { Failures, RetryDecision } from "./retry-decision.ts";
import type { Subscription } from "./subscription.ts";

/** Pending events of a subscription that one process handles at a time, or half of its handlers, whichever is more. */
export const pendingAtOnceMax = 16;
/**
 * How long a process holds an event that it claimed. Longer than a handler may run, so that only a process that died
 * lets it expire.
 */
const pendingLeaseMs = 40_000;

/** An event that is handled by itself, outside its batch. */
export interface PendingEvent extends Failures {
  readonly envelope: Envelope;
  /** The end of this process' lease, as Postgres writes it. */
  readonly lease: string;
  /** When it was claimed (ms, `performance.now`). */
  readonly claimedAt: number;
}

/**
 * Returns which of these events need no handling from their batch: those with an inbox row, and those that are pending.
 */
export async function alreadyProcessed(
  sql: Sql,
  subscription: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await sql<{ id: string }[]>`
    select event_id as id from inbox where subscription = ${subscription} and event_id = any (${[...ids]}::uuid[])
    union all
    select event_id from inbox_pending where subscription = ${subscription} and event_id = any (${[...ids]}::uuid[])`;
  return new Set(rows.map(({ id }) => id));
}

/** Takes an event that failed out of its batch, to be retried by itself. */
export async function scheduleRetry(
  sql: Sql,
  subscription: string,
  envelope: Envelope,
  decision: RetryDecision,
): Promise<void> {
  await insertPending(sql, subscription, envelope, decision);
}

/** Sets an event aside whose topic this version does not know (quarantine.ts). */
export async function quarantine(sql: Sql, subscription: string, envelope: Envelope): Promise<void> {
  await insertPending(sql, subscription, envelope, {
    state: "UNKNOWN",
    attempts: 0,
    outages: 0,
    delayMs: 0,
    lastError: null,
  });
}

async function insertPending(
  sql: Sql,
  subscription: string,
  { id, topic, subject, version, json }: Envelope,
  row: Omit<RetryDecision, "state" | "lastError"> & {
    state: "RETRY" | "UNKNOWN" | "DEAD";
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
 * Claims up to `limit` events that are due for their next attempt. Events of a topic that this version does not know
 * are left to the newer version that scheduled them.
 */
export async function claimPending(
  sql: Sql,
  { name, topics }: Pick<Subscription, "name" | "topics">,
  limit = pendingAtOnceMax,
): Promise<readonly PendingEvent[]> {
  const claimedAt = performance.now();
  const rows = await sql<{ envelope: JsonValue; attempts: number; outages: number; lease: string }[]>`
    update inbox_pending set next_time = now() + ${pendingLeaseMs} * interval '1 millisecond'
    where (subscription, event_id) in (
      select subscription, event_id from inbox_pending
      where subscription = ${name} and state = 'RETRY' and next_time <= now() and ${isAmong(sql, topics)}
      order by next_time limit ${limit} for update skip locked)
    returning envelope, attempts, outages, next_time::text as lease`;
  return rows.map(({ envelope, ...row }) => ({ envelope: openEnvelope(envelope), ...row, claimedAt }));
}

/**
 * Renews this process' lease on an event. Returns whether the process still held it: if not, another process does, or
 * the event is done.
 */
export async function renewLease(sql: Sql, subscription: string, { envelope, lease }: PendingEvent): Promise<boolean> {
  const renewed = await sql`
    update inbox_pending set next_time = now() + ${pendingLeaseMs} * interval '1 millisecond'
    where subscription = ${subscription} and event_id = ${envelope.id} and next_time = ${lease}::text::timestamptz`;
  return renewed.count === 1;
}

/** Stores the decision about a pending event that failed again. */
export async function reschedule(
  sql: Sql,
  subscription: string,
  eventId: string,
  decision: RetryDecision,
): Promise<void> {
  await sql`
    update inbox_pending set state = ${decision.state}, attempts = ${decision.attempts}, outages = ${decision.outages},
      next_time = now() + ${decision.delayMs}::float8 * interval '1 millisecond', last_error = ${decision.lastError},
      update_time = now()
    where subscription = ${subscription} and event_id = ${eventId}`;
}

/** Releases events that were claimed and not handled. */
export async function release(sql: Sql, subscription: string, eventIds: readonly string[]): Promise<void> {
  await sql`
    update inbox_pending set next_time = now()
    where subscription = ${subscription} and event_id = any (${[...eventIds]}::uuid[])`;
}
