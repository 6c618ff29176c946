import { auditTable, idempotencyTable, leaseTable } from "@rialto/database";
import { inboxTables, outboxTables } from "@rialto/events";
import { sql } from "drizzle-orm";
import { check, index, integer, pgSchema, text, timestamp, uniqueIndex, uuid } from "drizzle-orm/pg-core";

const schema = pgSchema("notification");

/**
 * One row a message to a person, with the mail as it was rendered, so that it can be sent again as it was. The name and the address
 * live here and nowhere else outside the user service: no event and no job carries them.
 */
export const notification = schema.table(
  "notification",
  {
    /** Made from the event's id: the same event makes the same message. */
    id: uuid("id").primaryKey(),
    eventId: uuid("event_id").notNull(),
    userId: uuid("user_id").notNull(),
    orderId: uuid("order_id"),
    /** The reset of a mail that sets a new password. The link is put into it as it is sent, and is not kept. */
    resetId: uuid("reset_id"),
    /** The confirmation of a mail that asks for one, or says that it was given. The link is put into it as it is sent, and is not kept. */
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
    /** How often a mail server could not take it for now. It lengthens the wait, and never ends in FAILED. */
    delays: integer("delays").notNull().default(0),
    /** How often it failed by itself, with nothing down: after some times it is FAILED, and a person's. */
    attempts: integer("attempts").notNull().default(0),
    /** How often somebody asked for it to be sent once more. */
    resends: integer("resends").notNull().default(0),
    /** Until when nobody else may send it: somebody is at it, or the mail server asked for a pause. */
    heldUntil: timestamp("held_until", { withTimezone: true }).notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    sendTime: timestamp("send_time", { withTimezone: true }),
  },
  (table) => [
    uniqueIndex("notification_event").on(table.eventId),
    index("notification_user").on(table.userId, table.id),
    index("notification_order").on(table.orderId, table.id),
    // Few rows at any time: those that wait to be sent.
    index("notification_queued").on(table.heldUntil).where(sql`state = 'QUEUED'`),
    // Few as well, one hopes: those that wait for a person.
    index("notification_failed").on(table.id).where(sql`state = 'FAILED'`),
    // Those whose text and recipient are still kept, oldest first: what the sweeper of mail-retention.ts asks for.
    index("notification_text_kept").on(table.createTime).where(sql`html <> ''`),
    check("notification_state", sql`state in ('QUEUED', 'SENT', 'FAILED')`),
  ],
);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);
export const { inbox, inboxPending, inboxCursor, inboxPause } = inboxTables(schema);
