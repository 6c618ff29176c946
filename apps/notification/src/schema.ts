import { auditTable, idempotencyTable, leaseTable } from "@rialto/database";
import { check, index, integer, pgSchema, sql, text, timestamp, uniqueIndex, uuid } from "@rialto/database/drizzle";
import { inboxTables } from "@rialto/events";

const schema = pgSchema("notification");

/**
 * One row per message to a person, with the rendered mail, so that it can be resent unchanged. Apart from the user
 * service, only this table holds names and addresses: events and jobs carry none.
 */
export const notification = schema.table(
  "notification",
  {
    /** Derived from the event's id, so that an event has one message. */
    id: uuid("id").primaryKey(),
    eventId: uuid("event_id").notNull(),
    userId: uuid("user_id").notNull(),
    orderId: uuid("order_id"),
    /** The password reset of a reset mail. Its link is added when the mail is sent, and is not stored. */
    resetId: uuid("reset_id"),
    /**
     * The confirmation that the mail asks for or reports. Its link is added when the mail is sent, and is not stored.
     */
    confirmationId: uuid("confirmation_id"),
    kind: text("kind").notNull(),
    state: text("state").notNull(),
    recipientName: text("recipient_name").notNull(),
    recipientAddress: text("recipient_address").notNull(),
    subject: text("subject").notNull(),
    text: text("text").notNull(),
    html: text("html").notNull(),
    messageId: text("message_id").notNull(),
    lastError: text("last_error").notNull().default(""),
    /** Tries that failed during an outage. They lengthen the delay and never lead to FAILED. */
    delays: integer("delays").notNull().default(0),
    /** Attempts that failed without an outage. Too many lead to FAILED, which needs a person. */
    attempts: integer("attempts").notNull().default(0),
    /** The number of resend requests. */
    resends: integer("resends").notNull().default(0),
    /** The end of the current claim, or of the delay before the next attempt. */
    heldUntil: timestamp("held_until", { withTimezone: true }).notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    sendTime: timestamp("send_time", { withTimezone: true }),
  },
  (table) => [
    uniqueIndex("notification_event").on(table.eventId),
    // The lists, newest first. An order has a few messages, of which the state picks.
    index("notification_user").on(table.userId, table.id),
    index("notification_order").on(table.orderId, table.id),
    index("notification_state").on(table.state, table.id),
    index("notification_state_user").on(table.state, table.userId, table.id),
    // Few rows at any time: messages to be sent.
    index("notification_queued").on(table.heldUntil).where(sql`state = 'QUEUED'`),
    // Messages that still have their text, oldest first, for retention.ts.
    index("notification_text_kept").on(table.createTime).where(sql`html <> ''`),
    check("notification_state", sql`state in ('QUEUED', 'SENT', 'FAILED')`),
  ],
);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { inbox, inboxPending, inboxPause } = inboxTables(schema);
