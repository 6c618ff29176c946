import { index, integer, jsonb, primaryKey, sql, text, timestamp, uuid } from "@rialto/database/drizzle";
import type { PgSchema } from "drizzle-orm/pg-core";

/**
 * The subscriber's tables, to be exported from a service's schema.ts under their own names:
 *
 *     export const { inbox, inboxPending, inboxPause } = inboxTables(schema);
 *
 * An `inbox` row says that an event had its effect in a subscription. An `inbox_pending` row is an event that left its
 * batch: to be retried by itself (RETRY), in quarantine because the version that received it does not know its topic
 * (UNKNOWN), or a dead letter (DEAD). An `inbox_pause` row says that an operator has paused a subscription.
 */
export function inboxTables(schema: PgSchema) {
  const inbox = schema.table(
    "inbox",
    {
      subscription: text("subscription").notNull(),
      eventId: uuid("event_id").notNull(),
      time: timestamp("time", { withTimezone: true }).notNull().defaultNow(),
    },
    (table) => [
      primaryKey({ columns: [table.subscription, table.eventId] }),
      // What retention asks for. The times ascend, so an insert touches the last page of its subscription only.
      index("inbox_subscription_time").on(table.subscription, table.time),
    ],
  );
  const inboxPending = schema.table(
    "inbox_pending",
    {
      subscription: text("subscription").notNull(),
      eventId: uuid("event_id").notNull(),
      state: text("state", { enum: ["RETRY", "UNKNOWN", "DEAD"] }).notNull(),
      topic: text("topic").notNull(),
      subject: text("subject").notNull(),
      version: integer("version").notNull(),
      /** The envelope as it came, in proto3 JSON. */
      envelope: jsonb("envelope").notNull(),
      /** Failures of the event itself, without outages. */
      attempts: integer("attempts").notNull().default(0),
      /** Failures in a row because a dependency was down. They lengthen the delay, and never end in DEAD. */
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
      // The lists of dead letters, of all subscriptions and of one.
      index("inbox_pending_dead").on(table.eventId, table.subscription).where(sql`state = 'DEAD'`),
      index("inbox_pending_dead_of_one").on(table.subscription, table.eventId).where(sql`state = 'DEAD'`),
    ],
  );
  const inboxPause = schema.table("inbox_pause", {
    subscription: text("subscription").primaryKey(),
    time: timestamp("time", { withTimezone: true }).notNull().defaultNow(),
  });
  return { inbox, inboxPending, inboxPause };
}
