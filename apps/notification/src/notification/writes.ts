import { createWriter, type Sql } from "@rialto/database";
import { type NotificationRow, notificationOf } from "./row.ts";
import type { Notification } from "./state.ts";
import type { InboxEntry, Queued, Result } from "./store.ts";

/** Messages of one statement. Each has its text twice, as plain text and as HTML: some kilobytes. */
const messagesMax = 64;

/** The two writes that every message needs. Those that wait at the same moment are one statement. */
export interface NotificationWrites {
  queue(notification: Notification, claimMs: number): Promise<Queued>;
  finish(id: string, result: Result, inbox: InboxEntry | undefined): Promise<void>;
}

/**
 * Opens the writes. Each message has its own outcome, and one that Postgres refuses fails alone. The times of claims
 * are Postgres' own.
 */
export function createNotificationWrites(sql: Sql): NotificationWrites {
  const queueing = createWriter<Queueing, Queued | undefined>({
    rowsMax: messagesMax,
    keyOf: ({ notification }) => notification.id,
    async send(batch) {
      const rows = await sql.unsafe<QueuedRow[]>(queueStatement, [JSON.stringify(batch.map(queueingRow))], prepared);
      const byId = new Map(rows.map((row) => [row.asked, row]));
      return batch.map(({ notification }) => queuedOf(notification, byId.get(notification.id)));
    },
  });
  const finishing = createWriter<Finishing, void>({
    keyOf: ({ id }) => id,
    async send(batch) {
      await sql.unsafe(finishStatement, [JSON.stringify(batch.map(finishingRow))], prepared);
      return batch.map(() => undefined);
    },
  });

  return {
    async queue(notification, claimMs) {
      for (;;) {
        const queued = await queueing.write({ notification, claimMs });
        if (queued !== undefined) return queued;
        // Another sender wrote it after the statement began: the next statement sees it.
      }
    },
    finish: (id, result, inbox) => finishing.write({ id, result, inbox }),
  };
}

const prepared = { prepare: true };

interface Queueing {
  readonly notification: Notification;
  readonly claimMs: number;
}

interface Finishing {
  readonly id: string;
  readonly result: Result;
  readonly inbox: InboxEntry | undefined;
}

/**
 * One statement reads what it could not write, so both are told by one server: after a switchover, a connection that is
 * still open to the old one does not know the message.
 */
const queueStatement = `
with given as materialized (
  select * from jsonb_to_recordset($1::text::jsonb) as g (id uuid, event_id uuid, user_id uuid, order_id uuid,
    reset_id uuid, confirmation_id uuid, kind text, recipient_name text, recipient_address text, subject text,
    text text, html text, message_id text, claim_ms float8, create_time timestamptz)),
written as (
  insert into notification (id, event_id, user_id, order_id, reset_id, confirmation_id, kind, state, recipient_name,
    recipient_address, subject, text, html, message_id, held_until, create_time)
  select id, event_id, user_id, order_id, reset_id, confirmation_id, kind, 'QUEUED', recipient_name,
    recipient_address, subject, text, html, message_id, clock_timestamp() + claim_ms * interval '1 millisecond',
    create_time
  from given order by id
  on conflict (id) do nothing returning id)
select given.id as asked, given.id in (select id from written) as claimed, stored.*
from given left join lateral (select * from notification where id = given.id limit 1) stored on true`;

/** With the message that was there before; its columns are null where there was none. */
type QueuedRow = { readonly asked: string; readonly claimed: boolean } & (NotificationRow | { readonly id: null });

function queueingRow({ notification: n, claimMs }: Queueing) {
  return {
    id: n.id,
    event_id: n.eventId,
    user_id: n.userId,
    order_id: n.orderId,
    reset_id: n.resetId,
    confirmation_id: n.confirmationId,
    kind: n.kind,
    recipient_name: n.recipient.name,
    recipient_address: n.recipient.address,
    subject: n.content.subject,
    text: n.content.text,
    html: n.content.html,
    message_id: n.messageId,
    claim_ms: claimMs,
    create_time: n.createTime.toISOString(),
  };
}

/** Undefined where the statement neither wrote the message nor saw it. */
function queuedOf(notification: Notification, row: QueuedRow | undefined): Queued | undefined {
  if (row?.claimed === true) return { notification, claimed: true };
  if (row === undefined || row.id === null) return undefined;
  return { notification: notificationOf(row), claimed: false };
}

/**
 * A message that is no longer QUEUED stays as it is, and the inbox row is written all the same. The condition by a list
 * of ids makes Postgres look each up by its key, however large the table was when the statement was planned.
 */
const finishStatement = `
with given as materialized (
  select * from jsonb_to_recordset($1::text::jsonb)
    as g (id uuid, state text, send_time timestamptz, last_error text, subscription text, event_id uuid)),
finished as (
  update notification set state = given.state, send_time = coalesce(given.send_time, notification.send_time),
    last_error = given.last_error, delays = 0, attempts = 0
  from given
  where notification.id = given.id and notification.id = any (array(select id from given))
    and notification.state = 'QUEUED')
insert into inbox (subscription, event_id)
select distinct subscription, event_id from given where subscription is not null order by subscription, event_id
on conflict (subscription, event_id) do nothing`;

function finishingRow({ id, result, inbox }: Finishing) {
  return {
    id,
    state: result.state,
    send_time: result.state === "SENT" ? result.time.toISOString() : null,
    last_error: result.state === "FAILED" ? result.lastError : "",
    subscription: inbox?.subscription,
    event_id: inbox?.eventId,
  };
}
