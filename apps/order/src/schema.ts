import { attemptColumns, attemptDue, auditTable, eventColumns, idempotencyTable, leaseTable } from "@rialto/database";
import { inboxTables, outboxTables } from "@rialto/events";
import { sql } from "drizzle-orm";
import { bigint, check, index, integer, jsonb, pgSchema, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";

const schema = pgSchema("order");

/**
 * The orders as they stand: each row is its order's log folded, and its version the number of events. Amounts are minor units of
 * `currency`. The checks repeat what the domain promises, so that no defect of the code can store an order that cannot be.
 */
export const orders = schema.table(
  "orders",
  {
    id: uuid("id").primaryKey(),
    version: integer("version").notNull(),
    userId: uuid("user_id").notNull(),
    status: text("status", {
      enum: ["PENDING", "STOCK_RESERVED", "CONFIRMED", "SHIPPED", "DELIVERED", "REJECTED", "CANCELLED"],
    }).notNull(),
    items: jsonb("items").$type<readonly LineJson[]>().notNull(),
    currency: text("currency").notNull(),
    total: bigint("total", { mode: "bigint" }).notNull(),
    captured: bigint("captured", { mode: "bigint" }).notNull(),
    refunded: bigint("refunded", { mode: "bigint" }).notNull(),
    paymentMethod: text("payment_method").notNull(),
    shippingAddress: jsonb("shipping_address").$type<AddressJson>(),
    rejectionReason: text("rejection_reason", { enum: ["OUT_OF_STOCK", "PAYMENT_DECLINED", "QUANTITY_LIMIT"] }),
    pendingAction: text("pending_action", { enum: ["SHIP", "CANCEL"] }),
    attentionReason: text("attention_reason", {
      enum: ["CAPTURE_REFUSED", "AUTHORIZATION_EXPIRED", "STOCK_LOST", "COMPENSATION_FAILED"],
    }),
    attentionDetail: text("attention_detail"),
    attentionSince: timestamp("attention_since", { withTimezone: true }),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull(),
    ...attemptColumns(),
  },
  (table) => [
    check("orders_version", sql`version >= 1`),
    check(
      "orders_status",
      sql`status in ('PENDING', 'STOCK_RESERVED', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'REJECTED', 'CANCELLED')`,
    ),
    check("orders_money", sql`total > 0 and 0 <= refunded and refunded <= captured and captured <= total`),
    check("orders_captured", sql`status not in ('SHIPPED', 'DELIVERED') or captured = total`),
    check(
      "orders_rejection",
      sql`(status = 'REJECTED') = (rejection_reason is not null) and rejection_reason in ('OUT_OF_STOCK', 'PAYMENT_DECLINED', 'QUANTITY_LIMIT')`,
    ),
    check(
      "orders_pending",
      sql`pending_action is null or (pending_action = 'SHIP' and status = 'CONFIRMED') or (pending_action = 'CANCEL' and status in ('PENDING', 'STOCK_RESERVED', 'CONFIRMED'))`,
    ),
    check(
      "orders_attention",
      sql`num_nulls(attention_reason, attention_detail, attention_since) in (0, 3) and attention_reason in ('CAPTURE_REFUSED', 'AUTHORIZATION_EXPIRED', 'STOCK_LOST', 'COMPENSATION_FAILED')`,
    ),
    // The two lists, newest first: the ids are UUIDv7, so they are in the order of the times.
    index("orders_user").on(table.userId, table.id),
    index("orders_status").on(table.status, table.id),
    // What waits for a person, newest first. Few rows, one hopes.
    index("orders_attention").on(table.id).where(sql`attention_reason is not null`),
    // What the sweeper looks for: orders that are not at rest, those first whose turn came first. It is `moving` of order/state.ts, in SQL.
    index("orders_stalled")
      .on(attemptDue, table.id)
      .where(sql`attention_reason is null and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null)`),
  ],
);

/** The log: what happened to each order, in the order of its versions. Rows are only ever added. */
export const orderEvent = schema.table("order_event", eventColumns(), (table) => [
  primaryKey({ columns: [table.subjectId, table.version] }),
]);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);
export const { inbox, inboxPending, inboxCursor, inboxPause } = inboxTables(schema);

/** A line as jsonb keeps it: int64 as text, because JSON's numbers end at 2^53. */
export type LineJson = {
  readonly productId: string;
  readonly name: string;
  readonly unitPrice: string;
  readonly quantity: number;
  readonly total: string;
};

/** An address as jsonb keeps it. */
export type AddressJson = {
  readonly name: string;
  readonly lines: readonly string[];
  readonly city: string;
  readonly postalCode: string;
  readonly countryCode: string;
};
