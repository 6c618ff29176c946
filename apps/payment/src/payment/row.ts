import { attentionFromRow, attentionRowColumns, attentionToRow, type JsonValue } from "@rialto/database";
import type { payment } from "../schema.ts";
import { operationFromJson, operationToJson } from "./json.ts";
import type { Payment } from "./state.ts";

/** The columns that the event store writes, without id and version, with their Postgres types. */
export const rowColumns = {
  order_id: "uuid",
  user_id: "uuid",
  status: "text",
  amount: "bigint",
  currency: "text",
  captured: "bigint",
  refunded: "bigint",
  payment_method: "text",
  decline_code: "text",
  operation: "jsonb",
  ...attentionRowColumns,
  create_time: "timestamptz",
  update_time: "timestamptz",
} as const;

/** The payment as the row that the event store writes. */
export function rowOf(payment: Payment): Record<keyof typeof rowColumns, JsonValue> {
  return {
    order_id: payment.orderId,
    user_id: payment.userId ?? null,
    status: payment.status,
    amount: String(payment.amount),
    currency: payment.currency ?? null,
    captured: String(payment.captured),
    refunded: String(payment.refunded),
    payment_method: payment.paymentMethod ?? null,
    decline_code: payment.declineCode ?? null,
    operation: payment.operation === undefined ? null : operationToJson(payment.operation),
    ...attentionToRow(payment.attention),
    create_time: payment.createTime.toISOString(),
    update_time: payment.updateTime.toISOString(),
  };
}

/** Reads a payment from its row. */
export function paymentOf(row: typeof payment.$inferSelect): Payment {
  const { operation, attentionReason: _reason, attentionDetail: _detail, attentionSince: _since, ...others } = row;
  // The attempts to finish its operation are not part of the payment.
  const { attempts: _attempts, attemptVersion: _version, nextAttemptTime: _time, ...rest } = others;
  return {
    ...rest,
    userId: row.userId ?? undefined,
    currency: row.currency ?? undefined,
    paymentMethod: row.paymentMethod ?? undefined,
    declineCode: row.declineCode ?? undefined,
    operation: operation === null ? undefined : operationFromJson(operation),
    attention: attentionFromRow(row),
  };
}
