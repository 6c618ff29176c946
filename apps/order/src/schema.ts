import {
  attemptColumns,
  attemptDue,
  attentionCheck,
  attentionColumns,
  auditTable,
  eventColumns,
  idempotencyTable,
  leaseTable,
  needsAttention,
  oneOf,
} from "@rialto/database";
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  sql,
  text,
  timestamp,
  uuid,
} from "@rialto/database/drizzle";
import { inboxTables, outboxTables } from "@rialto/events";
import { activeStatuses, attentionReasons, orderStatuses, pendingActions, rejectionReasons } from "./statuses.ts";

const schema = pgSchema("order");

/**
 * In SQL: the order is in a state in which the checkout has work (`isAtRest` of order/state.ts says the opposite) and
 * does not wait for a person.
 */
export const hasCheckoutWork = `attention_reason is null and (${oneOf("status", activeStatuses)} or pending_action is not null)`;

/**
 * The current orders: each row is its order's log, folded, and its version is the number of events. Amounts are minor
 * units of `currency`. The checks repeat what the domain promises, so that no defect of the code can store an
 * impossible order.
 */
export const orders = schema.table(
  "orders",
  {
    id: uuid("id").primaryKey(),
    version: integer("version").notNull(),
    userId: uuid("user_id").notNull(),
    status: text("status", { enum: orderStatuses }).notNull(),
    items: jsonb("items").$type<readonly LineJson[]>().notNull(),
    currency: text("currency").notNull(),
    total: bigint("total", { mode: "bigint" }).notNull(),
    captured: bigint("captured", { mode: "bigint" }).notNull(),
    refunded: bigint("refunded", { mode: "bigint" }).notNull(),
    paymentMethod: text("payment_method").notNull(),
    shippingAddress: jsonb("shipping_address").$type<AddressJson>(),
    rejectionReason: text("rejection_reason", { enum: rejectionReasons }),
    pendingAction: text("pending_action", { enum: pendingActions }),
    ...attentionColumns(attentionReasons),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull(),
    ...attemptColumns(),
  },
  (table) => [
    check("orders_version", sql`version >= 1`),
    check("orders_status", sql.raw(oneOf("status", orderStatuses))),
    check("orders_money", sql`total > 0 and 0 <= refunded and refunded <= captured and captured <= total`),
    check("orders_captured", sql`status not in ('SHIPPED', 'DELIVERED') or captured = total`),
    check(
      "orders_rejection",
      sql`(status = 'REJECTED') = (rejection_reason is not null) and ${sql.raw(oneOf("rejection_reason", rejectionReasons))}`,
    ),
    check(
      "orders_pending",
      sql`pending_action is null or (pending_action = 'SHIP' and status = 'CONFIRMED') or (pending_action = 'CANCEL' and status in ('PENDING', 'STOCK_RESERVED', 'CONFIRMED'))`,
    ),
    check("orders_attention", sql.raw(attentionCheck(attentionReasons))),
    // The lists, newest first, one for each filter: the ids are UUIDv7, so they ascend with time.
    index("orders_user").on(table.userId, table.id),
    index("orders_status").on(table.status, table.id),
    index("orders_status_user").on(table.status, table.userId, table.id),
    // The same of orders that wait for a person. They are few.
    index("orders_attention").on(table.id).where(sql.raw(needsAttention.all)),
    index("orders_attention_of_user").on(table.userId, table.id).where(sql.raw(needsAttention.byUser)),
    index("orders_attention_of_status").on(table.status, table.id).where(sql.raw(needsAttention.byStatus)),
    index("orders_attention_of_status_user")
      .on(table.status, table.userId, table.id)
      .where(sql.raw(needsAttention.byStatusAndUser)),
    // What resume-stalled-checkouts looks for, those first whose next attempt is due first.
    index("orders_stalled").on(attemptDue, table.id).where(sql.raw(hasCheckoutWork)),
  ],
);

/** The log: the events of each order, by version. Rows are only added. */
export const orderEvent = schema.table("order_event", eventColumns(), (table) => [
  primaryKey({ columns: [table.subjectId, table.version] }),
]);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);
export const { inbox, inboxPending, inboxPause } = inboxTables(schema);

/** A line in jsonb: int64 as text, because a JSON number is exact only up to 2^53. */
export type LineJson = {
  readonly productId: string;
  readonly name: string;
  readonly unitPrice: string;
  readonly quantity: number;
  readonly total: string;
};

/** An address in jsonb. */
export type AddressJson = {
  readonly name: string;
  readonly lines: readonly string[];
  readonly city: string;
  readonly postalCode: string;
  readonly countryCode: string;
};
