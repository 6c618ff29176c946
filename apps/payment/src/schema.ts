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
  uniqueIndex,
  uuid,
} from "@rialto/database/drizzle";
import { outboxTables } from "@rialto/events";
import { attentionReasons, type OperationKind, paymentStatuses } from "./statuses.ts";

const schema = pgSchema("payment");

/** In SQL: an operation is in flight at the provider. */
export const isUnfinished = "operation is not null";

/** The current payments, one for each order: each row is its log, folded, with the operation in flight. */
export const payment = schema.table(
  "payment",
  {
    id: uuid("id").primaryKey(),
    version: integer("version").notNull(),
    orderId: uuid("order_id").notNull(),
    userId: uuid("user_id"),
    status: text("status", { enum: paymentStatuses }).notNull(),
    amount: bigint("amount", { mode: "bigint" }).notNull(),
    currency: text("currency"),
    captured: bigint("captured", { mode: "bigint" }).notNull(),
    refunded: bigint("refunded", { mode: "bigint" }).notNull(),
    paymentMethod: text("payment_method"),
    declineCode: text("decline_code"),
    /** What the provider is being asked for; null where no answer is missing. */
    operation: jsonb("operation").$type<OperationJson>(),
    ...attentionColumns(attentionReasons),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull(),
    ...attemptColumns(),
  },
  (table) => [
    uniqueIndex("payment_order").on(table.orderId),
    index("payment_user").on(table.userId, table.id),
    // Few rows at any time: for the schedule finish-payment-operations, and for late results.
    index("payment_unfinished").on(attemptDue, table.id).where(sql.raw(isUnfinished)),
    index("payment_operation_key").on(sql`(operation->>'key')`).where(sql.raw(isUnfinished)),
    // Payments that wait for a person, newest first. They are few.
    index("payment_attention").on(table.id).where(sql.raw(needsAttention.all)),
    index("payment_attention_of_user").on(table.userId, table.id).where(sql.raw(needsAttention.byUser)),
    check("payment_attention_whole", sql.raw(attentionCheck(attentionReasons))),
    check("payment_money", sql`amount >= 0 and captured between 0 and amount and refunded between 0 and captured`),
    check("payment_status", sql.raw(oneOf("status", paymentStatuses))),
  ],
);

/** The log: the events of each payment, by version. Rows are only added. */
export const paymentEvent = schema.table("payment_event", eventColumns(), (table) => [
  primaryKey({ columns: [table.subjectId, table.version] }),
]);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);

/** An operation in jsonb: int64 as text, because a JSON number is exact only up to 2^53. */
export type OperationJson = {
  readonly kind: OperationKind;
  readonly key: string;
  readonly amount: string;
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
};
