import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Sql, Transaction } from "@rialto/database";
import { openEnvelope } from "../event/envelope.ts";

/** An event that failed too often. It waits for an operator, who retries or discards it. */
export interface DeadLetter {
  readonly subscription: string;
  readonly eventId: string;
  readonly topic: string;
  readonly subject: string;
  readonly version: number;
  readonly attempts: number;
  /** The class and the message of the last failure. */
  readonly lastError: string;
  /** When the event was committed, and what caused it. */
  readonly eventTime: Date;
  readonly traceparent: string;
  readonly payload: JsonObject;
  /** When it failed first, and when last. */
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** The position of a dead letter in a list. */
export interface DeadLetterKey {
  readonly eventId: string;
  readonly subscription: string;
}

/** Below every dead letter: where a list begins. */
const belowAll: DeadLetterKey = { eventId: "00000000-0000-0000-0000-000000000000", subscription: "" };

/**
 * Reads dead letters of the subscriber whose schema `sql` sees, of one subscription or of all. The oldest event comes
 * first: event ids are in the order of their creation.
 */
export async function listDeadLetters(
  sql: Sql,
  o: { readonly subscription?: string | undefined; readonly after?: DeadLetterKey | undefined; readonly limit: number },
): Promise<readonly DeadLetter[]> {
  const { subscription, after, limit } = o;
  const { eventId, subscription: name } = after ?? belowAll;
  // As in newest-first.ts of @rialto/database: one index gives the order, and the planner knows no value.
  const one = sql`(select ${subscription ?? null}::text)`;
  const page =
    subscription === undefined
      ? sql`(event_id, subscription) > ((select ${eventId}::uuid), (select ${name}::text))
          order by event_id, subscription`
      : sql`(subscription, event_id) > (${one}, (select ${eventId}::uuid)) and subscription <= ${one}
          order by subscription, event_id`;
  const rows = await sql<DeadLetterRow[]>`
    select ${columns(sql)} from inbox_pending where state = 'DEAD' and ${page} limit ${limit}`;
  return rows.map(deadLetterOf);
}

/** Reads one dead letter. Returns undefined where the event is none in this subscription. */
export async function readDeadLetter(sql: Sql, key: DeadLetterKey): Promise<DeadLetter | undefined> {
  const [row] = await sql<DeadLetterRow[]>`
    select ${columns(sql)} from inbox_pending
    where subscription = ${key.subscription} and event_id = ${key.eventId} and state = 'DEAD'`;
  return row && deadLetterOf(row);
}

/** Retries dead letters with all their attempts: one, or every one of a subscription. Returns how many. */
export async function retryDeadLetters(
  sql: Sql | Transaction,
  o: { readonly subscription: string; readonly eventId?: string | undefined },
): Promise<number> {
  const one = o.eventId === undefined ? sql`` : sql`and event_id = ${o.eventId}::uuid`;
  const retried = await sql`
    update inbox_pending set state = 'RETRY', attempts = 0, outages = 0, next_time = now(), update_time = now()
    where subscription = ${o.subscription} and state = 'DEAD' ${one}`;
  return retried.count;
}

/**
 * Discards a dead letter without its effect. The inbox says that the event is processed, so that another delivery does
 * not bring it back. Returns whether there was one.
 */
export async function discardDeadLetter(tx: Transaction, { subscription, eventId }: DeadLetterKey): Promise<boolean> {
  const gone = await tx`
    delete from inbox_pending where subscription = ${subscription} and event_id = ${eventId} and state = 'DEAD'`;
  if (gone.count === 0) return false;
  await tx`
    insert into inbox (subscription, event_id) values (${subscription}, ${eventId})
    on conflict (subscription, event_id) do nothing`;
  return true;
}

interface DeadLetterRow extends Omit<DeadLetter, "eventTime" | "traceparent" | "payload"> {
  readonly envelope: JsonValue;
}

function columns(sql: Sql) {
  return sql`subscription, event_id as "eventId", topic, subject, version, attempts,
    coalesce(last_error, '') as "lastError", envelope, create_time as "createTime", update_time as "updateTime"`;
}

function deadLetterOf({ envelope, ...row }: DeadLetterRow): DeadLetter {
  const { time, traceparent, payload } = openEnvelope(envelope);
  return { ...row, eventTime: time, traceparent, payload };
}
