import { apply, fold, type LoggedOrderEvent, type OrderEvent, type PlacedEvent } from "../src/order/events.ts";
import type { Order, OrderState } from "../src/order/state.ts";
import type { Command } from "../src/order/transitions.ts";

export const orderId = "01990000-0000-7000-8000-000000000001";
export const userId = "01990000-0000-7000-8000-0000000000aa";
export const productId = "01990000-0000-7000-8000-0000000000bb";
const begin = Date.UTC(2026, 0, 1);

export const placed: PlacedEvent = {
  kind: "PLACED",
  userId,
  items: [{ productId, name: "Teapot", unitPrice: 1250n, quantity: 2, total: 2500n }],
  currency: "EUR",
  total: 2500n,
  paymentMethod: "pm_test_approved",
  shippingAddress: undefined,
};

/** A log of these events, a second apart. */
export function logOf(...events: readonly OrderEvent[]): LoggedOrderEvent[] {
  return events.map((event, index) => ({
    subjectId: orderId,
    version: index + 1,
    time: new Date(begin + index * 1000),
    event,
  }));
}

export function appended(log: readonly LoggedOrderEvent[], event: OrderEvent): LoggedOrderEvent[] {
  return [...log, { subjectId: orderId, version: log.length + 1, time: new Date(begin + log.length * 1000), event }];
}

export function orderFrom(log: readonly LoggedOrderEvent[]): Order {
  const order = fold(log);
  if (order === undefined) throw new Error("an empty log is no order");
  return order;
}

const reserved: OrderEvent = { kind: "STOCK_RESERVED" };
const confirmed: OrderEvent = { kind: "CONFIRMED" };
const shipRequested: OrderEvent = { kind: "SHIP_REQUESTED" };
const cancelRequested: OrderEvent = { kind: "CANCEL_REQUESTED" };
const attention = (reason: "CAPTURE_REFUSED" | "COMPENSATION_FAILED"): OrderEvent => ({
  kind: "ATTENTION_RAISED",
  reason,
  detail: "said the service behind",
  captured: 0n,
});

/** A log that leads to each state. */
export const logTo: Readonly<Record<OrderState, readonly LoggedOrderEvent[]>> = {
  PENDING: logOf(placed),
  STOCK_RESERVED: logOf(placed, reserved),
  REJECTING_WAITS: logOf(placed, reserved, attention("COMPENSATION_FAILED")),
  CONFIRMED: logOf(placed, reserved, confirmed),
  SHIPPING: logOf(placed, reserved, confirmed, shipRequested),
  SHIPPING_WAITS: logOf(placed, reserved, confirmed, shipRequested, attention("CAPTURE_REFUSED")),
  CANCELLING: logOf(placed, reserved, cancelRequested),
  CANCELLING_WAITS: logOf(placed, reserved, cancelRequested, attention("COMPENSATION_FAILED")),
  SHIPPED: logOf(placed, reserved, confirmed, shipRequested, { kind: "SHIPPED", captured: 2500n }),
  DELIVERED: logOf(
    placed,
    reserved,
    confirmed,
    shipRequested,
    { kind: "SHIPPED", captured: 2500n },
    { kind: "DELIVERED" },
  ),
  REJECTED: logOf(placed, { kind: "REJECTED", reason: "OUT_OF_STOCK" }),
  CANCELLED: logOf(placed, cancelRequested, { kind: "CANCELLED" }),
};

/** The commands as the tables name them. */
export const commands = {
  ship: { kind: "requestShip" },
  cancel: { kind: "requestCancel" },
  settle: { kind: "settleByCancel" },
  deliver: { kind: "deliver" },
  reserved: { kind: "stockReserved" },
  confirm: { kind: "confirm", authorized: 2500n },
  outOfStock: { kind: "reject", reason: "OUT_OF_STOCK" },
  declined: { kind: "reject", reason: "PAYMENT_DECLINED" },
  shipped: { kind: "shipped", captured: 2500n },
  cancelled: { kind: "cancelled" },
  captureRefused: { kind: "raiseAttention", reason: "CAPTURE_REFUSED", detail: "CAPTURE_REFUSED" },
  undoRefused: { kind: "raiseAttention", reason: "COMPENSATION_FAILED", detail: "PAYMENT_CAPTURED" },
  refunded: { kind: "recordRefund", captured: 2500n, refunded: 1000n },
} as const satisfies Readonly<Record<string, Command>>;

/** The order after one more event, a second later. */
export function afterEvent(order: Order, event: OrderEvent): Order {
  const time = new Date(order.updateTime.getTime() + 1000);
  return apply(order, { subjectId: order.id, version: order.version + 1, time, event });
}
