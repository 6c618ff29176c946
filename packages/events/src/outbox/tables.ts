import { bigserial, index, integer, jsonb, primaryKey, sql, text, timestamp, uuid } from "@rialto/database/drizzle";
import type { PgSchema } from "drizzle-orm/pg-core";

/**
 * The publisher's tables, to be exported from a service's schema.ts under their own names:
 *
 *     export const { outbox, batch, delivery, registration } = outboxTables(schema);
 *
 * An `outbox` row is a committed event. The relay assigns it to a `batch`. A `delivery` is one batch for one
 * subscription, and is open until the queue reports its job as done. A `registration` is a subscription and the topics
 * that it wants.
 */
export function outboxTables(schema: PgSchema) {
  const outbox = schema.table(
    "outbox",
    {
      id: bigserial("id", { mode: "bigint" }).primaryKey(),
      eventId: uuid("event_id").notNull(),
      topic: text("topic").notNull(),
      subject: text("subject").notNull(),
      version: integer("version").notNull(),
      time: timestamp("time", { withTimezone: true }).notNull().defaultNow(),
      traceparent: text("traceparent").notNull().default(""),
      payload: jsonb("payload").notNull(),
      batchId: uuid("batch_id"),
    },
    (table) => [
      index("outbox_unsent").on(table.id).where(sql`batch_id is null`),
      index("outbox_batch").on(table.batchId).where(sql`batch_id is not null`),
    ],
  );
  const batch = schema.table(
    "batch",
    {
      id: uuid("id").primaryKey(),
      createTime: timestamp("create_time", { withTimezone: true }).notNull().defaultNow(),
      settleTime: timestamp("settle_time", { withTimezone: true }),
    },
    (table) => [
      index("batch_unsettled").on(table.createTime).where(sql`settle_time is null`),
      index("batch_settled").on(table.settleTime).where(sql`settle_time is not null`),
    ],
  );
  const delivery = schema.table(
    "delivery",
    {
      batchId: uuid("batch_id")
        .notNull()
        .references(() => batch.id, { onDelete: "cascade" }),
      subscription: text("subscription").notNull(),
      /** The topics of the registration when the batch was made, so that a re-enqueued job carries the same events. */
      topics: text("topics").array().notNull(),
      /** How often the job was enqueued under a new id, because the queue had lost or failed it. */
      attempt: integer("attempt").notNull().default(0),
      /**
       * When a relay asks the queue next. The relay that asks moves it on, so that two relays do not ask about the same
       * delivery.
       */
      askTime: timestamp("ask_time", { withTimezone: true }).notNull().defaultNow(),
      settleTime: timestamp("settle_time", { withTimezone: true }),
    },
    (table) => [
      primaryKey({ columns: [table.batchId, table.subscription] }),
      index("delivery_unsettled").on(table.askTime).where(sql`settle_time is null`),
    ],
  );
  const registration = schema.table("registration", {
    subscription: text("subscription").primaryKey(),
    topics: text("topics").array().notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull().defaultNow(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull().defaultNow(),
  });
  return { outbox, batch, delivery, registration };
}
