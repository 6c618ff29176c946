import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Attention_Reason,
  Order_PendingAction,
  Order_RejectionReason,
  Order_Status,
  OrderEvent_Kind,
  OrderEventSchema,
  type OrderSchema,
} from "@rialto/contracts";
import type { Order, OrderEvent } from "./state.ts";

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
    createTime: timestampFromDate(order.createTime),
    updateTime: timestampFromDate(order.updateTime),
    paymentMethod: order.paymentMethod,
    ...(rejectionReason && { rejectionReason: Order_RejectionReason[rejectionReason] }),
    ...(pendingAction && { pendingAction: Order_PendingAction[pendingAction] }),
    ...(attention && {
      attention: {
        reason: Attention_Reason[attention.reason],
        detail: attention.detail,
        since: timestampFromDate(attention.since),
      },
    }),
    ...(shippingAddress && { shippingAddress: { ...shippingAddress, lines: [...shippingAddress.lines] } }),
  };
}

/** What is published of an event: ids, amounts and states, no personal data. `order` is the order after it. */
export function orderEventMessage(order: Order, kind: OrderEvent["kind"]): MessageShape<typeof OrderEventSchema> {
  const money = (minorUnits: bigint) => ({ currencyCode: order.currency, minorUnits });
  return create(OrderEventSchema, {
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
}

/** The topic of an event, as the contract names it: "order.stock_reserved". */
export function topicOf(kind: OrderEvent["kind"]): string {
  return `order.${kind.toLowerCase()}`;
}
