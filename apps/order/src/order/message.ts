import { create, fromJson, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import {
  Attention_Reason,
  CreateOrderResponseSchema,
  Order_PendingAction,
  Order_RejectionReason,
  Order_Status,
  OrderEvent_Kind,
  OrderEventSchema,
  type Order as OrderMessage,
  type OrderSchema,
} from "@rialto/contracts";
import type { JsonValue } from "@rialto/database";
import { timestampOf } from "@rialto/rpc";
import type { OrderEvent } from "./events.ts";
import type { Order } from "./state.ts";

/** The order as the contract shows it. */
export function orderMessage(order: Order): MessageInitShape<typeof OrderSchema> {
  const money = (minorUnits: bigint) => ({ currencyCode: order.currency, minorUnits });
  const { attention, pendingAction, rejectionReason, shippingAddress } = order;
  return {
    id: order.id,
    userId: order.userId,
    status: Order_Status[order.status],
    items: order.items.map((line) => ({
      productId: line.productId,
      name: line.name,
      unitPrice: money(line.unitPrice),
      quantity: line.quantity,
      total: money(line.total),
    })),
    total: money(order.total),
    captured: money(order.captured),
    refunded: money(order.refunded),
    version: order.version,
    createTime: timestampOf(order.createTime),
    updateTime: timestampOf(order.updateTime),
    paymentMethod: order.paymentMethod,
    ...(rejectionReason && { rejectionReason: Order_RejectionReason[rejectionReason] }),
    ...(pendingAction && { pendingAction: Order_PendingAction[pendingAction] }),
    ...(attention && {
      attention: {
        reason: Attention_Reason[attention.reason],
        detail: attention.detail,
        since: timestampOf(attention.since),
      },
    }),
    ...(shippingAddress && { shippingAddress: { ...shippingAddress, lines: [...shippingAddress.lines] } }),
  };
}

/** What is published of an event: ids, amounts and statuses, no personal data. `order` is the order after it. */
export function orderEventMessage(order: Order, { kind }: OrderEvent) {
  const money = (minorUnits: bigint) => ({ currencyCode: order.currency, minorUnits });
  const message = create(OrderEventSchema, {
    orderId: order.id,
    userId: order.userId,
    version: order.version,
    kind: OrderEvent_Kind[kind],
    status: Order_Status[order.status],
    total: money(order.total),
    captured: money(order.captured),
    refunded: money(order.refunded),
    ...(order.rejectionReason && { rejectionReason: Order_RejectionReason[order.rejectionReason] }),
  });
  return { topic: topicOf(kind), payload: toJson(OrderEventSchema, message) };
}

/** The topic of an event, as the contract names it: "order.stock_reserved". */
export function topicOf(kind: OrderEvent["kind"]): string {
  return `order.${kind.toLowerCase()}`;
}

/** The response of a call that placed or changed an order. */
export type OrderResponse = { order?: MessageInitShape<typeof OrderSchema> | OrderMessage };

// CreateOrder, CancelOrder, ShipOrder and DeliverOrder answer the same one field, so one schema writes and reads the
// responses of all of them.

/** The response with this order in proto3 JSON, to be stored with an idempotency key. */
export function responseToJson(order: Order): JsonValue {
  return toJson(CreateOrderResponseSchema, create(CreateOrderResponseSchema, { order: orderMessage(order) }));
}

/**
 * Reads a stored response. A newer version may have written it while this one still runs: fields that this one does not
 * know are left out.
 */
export function responseFromJson(json: JsonValue): OrderResponse {
  // Both types mean JSON; protobuf's allows its arrays to be changed, which fromJson does not do.
  const { order } = fromJson(CreateOrderResponseSchema, json as Parameters<typeof fromJson>[1], {
    ignoreUnknownFields: true,
  });
  return order === undefined ? {} : { order };
}
