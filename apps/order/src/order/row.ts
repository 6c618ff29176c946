import { attentionFromRow, attentionRowColumns, attentionToRow, type JsonValue } from "@rialto/database";
import type { orders } from "../schema.ts";
import { addressToJson, linesFromJson, linesToJson } from "./json.ts";
import type { Order } from "./state.ts";

/** The columns that the event store writes, without id and version, with their Postgres types. */
export const rowColumns = {
  user_id: "uuid",
  status: "text",
  items: "jsonb",
  currency: "text",
  total: "bigint",
  captured: "bigint",
  refunded: "bigint",
  payment_method: "text",
  shipping_address: "jsonb",
  rejection_reason: "text",
  pending_action: "text",
  ...attentionRowColumns,
  create_time: "timestamptz",
  update_time: "timestamptz",
} as const;

/** The order as the row that the event store writes. */
export function rowOf(order: Order): Record<keyof typeof rowColumns, JsonValue> {
  const { attention, shippingAddress } = order;
  return {
    user_id: order.userId,
    status: order.status,
    items: linesToJson(order.items),
    currency: order.currency,
    total: String(order.total),
    captured: String(order.captured),
    refunded: String(order.refunded),
    payment_method: order.paymentMethod,
    shipping_address: shippingAddress === undefined ? null : addressToJson(shippingAddress),
    rejection_reason: order.rejectionReason ?? null,
    pending_action: order.pendingAction ?? null,
    ...attentionToRow(attention),
    create_time: order.createTime.toISOString(),
    update_time: order.updateTime.toISOString(),
  };
}

/** Reads an order from its row. */
export function orderOf(row: typeof orders.$inferSelect): Order {
  const { attentionReason: _reason, attentionDetail: _detail, attentionSince: _since, ...others } = row;
  // The attempts to resume it are not part of the order.
  const { attempts: _attempts, attemptVersion: _version, nextAttemptTime: _time, ...rest } = others;
  return {
    ...rest,
    items: linesFromJson(row.items),
    shippingAddress: row.shippingAddress ?? undefined,
    rejectionReason: row.rejectionReason ?? undefined,
    pendingAction: row.pendingAction ?? undefined,
    attention: attentionFromRow(row),
  };
}
