import { attemptColumns, attemptDue, auditTable, eventColumns, idempotencyTable, leaseTable } from "@rialto/database";
import { inboxTables, outboxTables } from "@rialto/events";
import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

const schema = pgSchema("payment");

/** One row an order: its payment as it stands, with the operation that is in flight. Its log is `payment_event`. */
export const payment = schema.table(
  "payment",
  {
    id: uuid("id").primaryKey(),
    version: integer("version").notNull(),
    orderId: uuid("order_id").notNull(),
    userId: uuid("user_id"),
    status: text("status").notNull(),
    amount: bigint("amount", { mode: "bigint" }).notNull(),
    currency: text("currency"),
    captured: bigint("captured", { mode: "bigint" }).notNull(),
    refunded: bigint("refunded", { mode: "bigint" }).notNull(),
    paymentMethod: text("payment_method"),
    declineCode: text("decline_code"),
    /** What the provider is being asked for; null where its answers are all known. */
    operation: jsonb("operation"),
    attentionReason: text("attention_reason"),
    attentionDetail: text("attention_detail"),
    attentionSince: timestamp("attention_since", { withTimezone: true }),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull(),
    ...attemptColumns(),
  },
  (table) => [
    uniqueIndex("payment_order").on(table.orderId),
    index("payment_user").on(table.userId, table.id),
    // Few rows at any time: those that the sweeper looks at, and those that a late result is for.
    index("payment_unfinished").on(attemptDue, table.id).where(sql`operation is not null`),
    index("payment_operation_key").on(sql`(operation->>'key')`).where(sql`operation is not null`),
    // What waits for a person, newest first. Few rows, one hopes.
    index("payment_attention").on(table.id).where(sql`attention_reason is not null`),
    check(
      "payment_attention_whole",
      sql`num_nulls(attention_reason, attention_detail, attention_since) in (0, 3) and attention_reason in ('REFUND_REFUSED')`,
    ),
    check("payment_money", sql`amount >= 0 and captured between 0 and amount and refunded between 0 and captured`),
    check("payment_status", sql`status in ('PENDING', 'AUTHORIZED', 'CAPTURED', 'VOIDED', 'REFUNDED', 'DECLINED')`),
  ],
);

/** What happened to each payment, without a gap. */
export const paymentEvent = schema.table("payment_event", eventColumns(), (table) => [
  primaryKey({ columns: [table.subjectId, table.version] }),
]);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);
// Payment subscribes to nothing so far; the combined commit writes to an inbox all the same.
export const { inbox, inboxPending, inboxCursor, inboxPause } = inboxTables(schema);
