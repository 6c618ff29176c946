import type { Database, Sql, Transaction } from "@rialto/database";
import type { Notification, NotificationKind } from "./state.ts";

/** The event whose inbox row is written in the same commit. */
export interface InboxEntry {
  readonly subscription: string;
  readonly eventId: string;
}

export interface NotificationStore {
  /**
   * Stores a new message as QUEUED, with a claim of the caller for `claimMs`. If the event already has a message,
   * returns that one, with `claimed` false.
   */
  queue(
    notification: Notification,
    claimMs: number,
  ): Promise<{ readonly notification: Notification; readonly claimed: boolean }>;
  byId(id: string): Promise<Notification | undefined>;
  /**
   * Claims a QUEUED message for `claimMs` in order to send it. Returns undefined if it is claimed already or not
   * QUEUED.
   */
  claim(id: string, claimMs: number): Promise<Notification | undefined>;
  /** Lists QUEUED messages that are not claimed, the one that has been due longest first. */
  listDue(limit: number): Promise<readonly string[]>;
  /** Records that the mail was sent or has failed, together with the event's inbox row if there is one. */
  finish(id: string, result: Result, inbox?: InboxEntry): Promise<void>;
  /**
   * Ends the claim and delays the next one by `delayMs`. With `isOwnFailure` the try counts as an attempt; otherwise,
   * during an outage, as a delay.
   */
  delay(
    id: string,
    o: { readonly delayMs: number; readonly lastError: string; readonly isOwnFailure: boolean },
  ): Promise<void>;
  /**
   * Clears the text and the recipient of messages created before a time, the oldest first. QUEUED messages keep them.
   * Returns the number of messages cleared.
   */
  forgetText(o: { readonly before: Date; readonly limit: number }): Promise<number>;
  list(
    filter: NotificationFilter,
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<readonly Notification[]>;
}

export type Result =
  | { readonly state: "SENT"; readonly time: Date }
  | { readonly state: "FAILED"; readonly lastError: string };

/** Undefined fields do not filter. */
export interface NotificationFilter {
  readonly userId: string | undefined;
  readonly orderId: string | undefined;
  readonly state: Notification["state"] | undefined;
}

/**
 * Opens the store. Claims use the clock of Postgres alone, because the clocks of two processes can differ by more than
 * the length of a claim.
 */
export function createNotificationStore({ sql }: Pick<Database, "sql">): NotificationStore {
  return {
    async queue(n, claimMs) {
      for (;;) {
        // One statement reads what it could not write, so both are told by one server: after a switchover, a connection
        // that is still open to the old one does not know the message.
        const [row] = await sql<(NotificationRow & { readonly claimed: boolean })[]>`
          with written as (
            insert into notification (id, event_id, user_id, order_id, reset_id, confirmation_id, kind, state, recipient_name, recipient_address, subject, text, html,
                                      message_id, held_until, create_time)
            values (${n.id}, ${n.eventId}, ${n.userId}, ${n.orderId ?? null}, ${n.resetId ?? null}, ${n.confirmationId ?? null}, ${n.kind}, 'QUEUED', ${n.recipient.name}, ${n.recipient.address},
                    ${n.content.subject}, ${n.content.text}, ${n.content.html}, ${n.messageId}, ${fromNow(sql, claimMs)}, ${n.createTime})
            on conflict (id) do nothing returning *)
          select *, true as claimed from written
          union all select *, false as claimed from notification where id = ${n.id}`;
        if (row !== undefined) return { notification: notificationOf(row), claimed: row.claimed };
        // Another sender wrote it after this statement began: the next statement sees it.
      }
    },

    async byId(id) {
      const [row] = await sql<NotificationRow[]>`select * from notification where id = ${id}`;
      return row && notificationOf(row);
    },

    async claim(id, claimMs) {
      const [row] = await sql<NotificationRow[]>`
        update notification set held_until = ${fromNow(sql, claimMs)}
        where id = ${id} and state = 'QUEUED' and held_until <= now() returning *`;
      return row && notificationOf(row);
    },

    async listDue(limit) {
      const rows = await sql<{ id: string }[]>`
        select id from notification where state = 'QUEUED' and held_until <= now() order by held_until limit ${limit}`;
      return rows.map(({ id }) => id);
    },

    async finish(id, result, inbox) {
      const sendTime = result.state === "SENT" ? result.time : null;
      const lastError = result.state === "FAILED" ? result.lastError : "";
      await sql`
        with finished as (
          update notification set state = ${result.state}, send_time = coalesce(${sendTime}, send_time), last_error = ${lastError}, delays = 0, attempts = 0
          where id = ${id} and state = 'QUEUED')
        insert into inbox (subscription, event_id)
        select e.subscription, e.event_id from (values (${inbox?.subscription ?? null}::text, ${inbox?.eventId ?? null}::uuid)) e (subscription, event_id)
        where e.subscription is not null
        on conflict (subscription, event_id) do nothing`;
    },

    async delay(id, { delayMs, lastError, isOwnFailure }) {
      await sql`
        update notification set held_until = ${fromNow(sql, delayMs)}, last_error = ${lastError},
          delays = ${isOwnFailure ? 0 : sql`delays + 1`}, attempts = attempts + ${isOwnFailure ? 1 : 0}
        where id = ${id} and state = 'QUEUED'`;
    },

    async forgetText({ before, limit }) {
      const emptied = await sql`
        update notification set text = '', html = '', recipient_name = '', recipient_address = ''
        where id in (
          select id from notification where html <> '' and state <> 'QUEUED' and create_time < ${before}
          order by create_time limit ${limit} for update skip locked)`;
      return emptied.count;
    },

    async list({ userId, orderId, state }, { limit, after }) {
      const rows = await sql<NotificationRow[]>`
        select * from notification
        where true
          ${userId === undefined ? sql`` : sql`and user_id = ${userId}`}
          ${orderId === undefined ? sql`` : sql`and order_id = ${orderId}`}
          ${state === undefined ? sql`` : sql`and state = ${state}`}
          ${after === undefined ? sql`` : sql`and id < ${after}`}
        order by id desc limit ${limit}`;
      return rows.map(notificationOf);
    },
  };
}

/** A time by the clock of Postgres. */
function fromNow(sql: Sql, ms: number) {
  return sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;
}

/**
 * Queues a SENT or FAILED message again. Returns undefined if there is none, its text was removed, or it is queued
 * already.
 */
export async function requeue(tx: Transaction, id: string): Promise<Notification | undefined> {
  const [row] = await tx<NotificationRow[]>`
    update notification set state = 'QUEUED', held_until = now(), resends = resends + 1, attempts = 0
    where id = ${id} and state <> 'QUEUED' and html <> '' returning *`;
  return row && notificationOf(row);
}

interface NotificationRow {
  readonly id: string;
  readonly event_id: string;
  readonly user_id: string;
  readonly order_id: string | null;
  readonly reset_id: string | null;
  readonly confirmation_id: string | null;
  readonly kind: NotificationKind;
  readonly state: Notification["state"];
  readonly recipient_name: string;
  readonly recipient_address: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly message_id: string;
  readonly last_error: string;
  readonly delays: number;
  readonly attempts: number;
  readonly resends: number;
  readonly create_time: Date;
  readonly send_time: Date | null;
}

function notificationOf(row: NotificationRow): Notification {
  return {
    id: row.id,
    eventId: row.event_id,
    userId: row.user_id,
    orderId: row.order_id ?? undefined,
    resetId: row.reset_id ?? undefined,
    confirmationId: row.confirmation_id ?? undefined,
    kind: row.kind,
    state: row.state,
    recipient: { name: row.recipient_name, address: row.recipient_address },
    content: { subject: row.subject, text: row.text, html: row.html },
    messageId: row.message_id,
    lastError: row.last_error,
    delays: row.delays,
    attempts: row.attempts,
    resends: row.resends,
    createTime: row.create_time,
    sendTime: row.send_time ?? undefined,
  };
}
