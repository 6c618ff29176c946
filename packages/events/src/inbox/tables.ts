import type { PgSchema } from "drizzle-orm/pg-core";
import { index, integer, jsonb, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";

/**
 * The subscriber's tables, to be exported from a service's schema.ts under their own names:
 *
 *     export const { inbox, inboxPending, inboxCursor, inboxPause } = inboxTables(schema);
 *
 * An `inbox` row says that an event had its effect in a subscription. An `inbox_pending` row is an event that left its
 * batch: to be tried again alone (RETRY), too early for its subject (PARKED), of a topic that whoever got it does not know and another
 * version may (UNKNOWN), or given up until a person looks (DEAD).
 * An `inbox_cursor` row is the last version of a subject that an ordered subscription has seen. An `inbox_pause` row
 * says that a person has paused a subscription.
 */
export function inboxTables(schema: PgSchema) {
  const inbox = schema.table(
    "inbox",
    {
      subscription: text("subscription").notNull(),
      eventId: uuid("event_id").notNull(),
      time: timestamp("time", { withTimezone: true }).notNull().defaultNow(),
    },
    (table) => [primaryKey({ columns: [table.subscription, table.eventId] }), index("inbox_time").on(table.time)],
  );
  const inboxPending = schema.table(
    "inbox_pending",
    {
      subscription: text("subscription").notNull(),
      eventId: uuid("event_id").notNull(),
      state: text("state", { enum: ["RETRY", "PARKED", "UNKNOWN", "DEAD"] }).notNull(),
      topic: text("topic").notNull(),
      subject: text("subject").notNull(),
      version: integer("version").notNull(),
      /** The envelope as it came, in proto3 JSON. */
      envelope: jsonb("envelope").notNull(),
      /** Failures of the event's own. Outages are not among them. */
      attempts: integer("attempts").notNull().default(0),
      /** Failures in a row because something was down: they lengthen the wait, and never end in DEAD. */
      outages: integer("outages").notNull().default(0),
      nextTime: timestamp("next_time", { withTimezone: true }).notNull().defaultNow(),
      lastError: text("last_error"),
      createTime: timestamp("create_time", { withTimezone: true }).notNull().defaultNow(),
      updateTime: timestamp("update_time", { withTimezone: true }).notNull().defaultNow(),
    },
    (table) => [
      primaryKey({ columns: [table.subscription, table.eventId] }),
      index("inbox_pending_due").on(table.subscription, table.state, table.nextTime),
      index("inbox_pending_subject").on(table.subscription, table.subject, table.version),
    ],
  );
  const inboxCursor = schema.table(
    "inbox_cursor",
    {
      subscription: text("subscription").notNull(),
      subject: text("subject").notNull(),
      version: integer("version").notNull(),
    },
    (table) => [primaryKey({ columns: [table.subscription, table.subject] })],
  );
  const inboxPause = schema.table("inbox_pause", {
    subscription: text("subscription").primaryKey(),
    time: timestamp("time", { withTimezone: true }).notNull().defaultNow(),
  });
  return { inbox, inboxPending, inboxCursor, inboxPause };
}
