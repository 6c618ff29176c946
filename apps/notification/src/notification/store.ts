import { type Database, newestFirst, type Sql, type Transaction } from "@rialto/database";
import { type NotificationRow, notificationOf } from "./row.ts";
import type { Notification } from "./state.ts";
import { createNotificationWrites, type NotificationWrites } from "./writes.ts";

/** The event whose inbox row is written in the same commit. */
export interface InboxEntry {
  readonly subscription: string;
  readonly eventId: string;
}

/** The message that an event has, and whether the caller stored and claimed it. */
export interface Queued {
  readonly notification: Notification;
  readonly claimed: boolean;
}

export interface NotificationStore {
  /**
   * Stores a new message as QUEUED, with a claim of the caller for `claimMs`. If the event already has a message,
   * returns that one, with `claimed` false. Messages that are stored at the same moment are one statement.
   */
  queue: NotificationWrites["queue"];
  byId(id: string): Promise<Notification | undefined>;
  /**
   * Claims a QUEUED message for `claimMs` in order to send it. Returns undefined if it is claimed already or not
   * QUEUED.
   */
  claim(id: string, claimMs: number): Promise<Notification | undefined>;
  /** Lists QUEUED messages that are not claimed, the one that has been due longest first. */
  listDue(limit: number): Promise<readonly string[]>;
  /**
   * Records that the mail was sent or has failed, together with the event's inbox row if there is one. Messages that
   * are finished at the same moment are one statement.
   */
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
  const writes = createNotificationWrites(sql);
  return {
    queue: writes.queue,

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

    finish: (id, result, inbox) => writes.finish(id, result, inbox),

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
      // An order has a few messages, of which the others pick.
      const ofOrder = sql`
        order_id = ${orderId ?? null}
        ${userId === undefined ? sql`` : sql`and user_id = ${userId}`}
        ${state === undefined ? sql`` : sql`and state = ${state}`}`;
      const isOfOrder = orderId !== undefined;
      const ofOthers = [["state", "text", state] as const, ["user_id", "uuid", userId] as const];
      const { where, order } = newestFirst(sql, isOfOrder ? [] : ofOthers, after);
      const rows = await sql<NotificationRow[]>`
        select * from notification where ${where} ${isOfOrder ? sql`and ${ofOrder}` : sql``}
        order by ${order} limit ${limit}`;
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
