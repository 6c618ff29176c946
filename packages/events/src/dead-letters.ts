import type { JsonValue } from "@bufbuild/protobuf";
import type { Sql } from "@rialto/database";

/** An event that a subscription gave up until a person looks. */
export interface DeadLetter {
  readonly subscription: string;
  readonly eventId: string;
  readonly topic: string;
  readonly subject: string;
  readonly version: number;
  readonly attempts: number;
  /** The class and the message of the last failure. */
  readonly lastError: string;
  readonly envelope: JsonValue;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** Reads dead letters of the subscriber whose schema `sql` sees, oldest event first: event ids are in the order of their making. */
export async function listDeadLetters(
  sql: Sql,
  o: { readonly subscription: string; readonly afterEventId?: string; readonly limit: number },
): Promise<readonly DeadLetter[]> {
  const after = o.afterEventId === undefined ? sql`` : sql`and event_id > ${o.afterEventId}::uuid`;
  return await sql<DeadLetter[]>`
    select subscription, event_id as "eventId", topic, subject, version, attempts, coalesce(last_error, '') as "lastError",
      envelope, create_time as "createTime", update_time as "updateTime"
    from inbox_pending where subscription = ${o.subscription} and state = 'DEAD' ${after}
    order by event_id limit ${o.limit}`;
}

/** Gives dead letters all their attempts again: one, or every one of a subscription. Answers how many. */
export async function retryDeadLetters(
  sql: Sql,
  o: { readonly subscription: string; readonly eventId?: string },
): Promise<number> {
  const one = o.eventId === undefined ? sql`` : sql`and event_id = ${o.eventId}::uuid`;
  const retried = await sql`
    update inbox_pending set state = 'RETRY', attempts = 0, outages = 0, next_time = now(), update_time = now()
    where subscription = ${o.subscription} and state = 'DEAD' ${one}`;
  return retried.count;
}
