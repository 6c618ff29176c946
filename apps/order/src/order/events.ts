import type { LoggedEvent } from "@rialto/database";
import type { AttentionReason, RejectionReason } from "../statuses.ts";
import { type Address, type Order, type OrderLine, type OrderState, stateOf } from "./state.ts";

/** The first event of every order: what it is made of. */
export interface PlacedEvent {
  readonly kind: "PLACED";
  readonly userId: string;
  readonly items: readonly OrderLine[];
  readonly currency: string;
  readonly total: bigint;
  readonly paymentMethod: string;
  readonly shippingAddress: Address | undefined;
}

/** What can happen to an order. The kinds are those of the published event, and the types in the log. */
export type OrderEvent =
  | PlacedEvent
  | { readonly kind: "STOCK_RESERVED" }
  | { readonly kind: "CONFIRMED" }
  | { readonly kind: "REJECTED"; readonly reason: RejectionReason }
  | { readonly kind: "CANCEL_REQUESTED" }
  | { readonly kind: "CANCELLED" }
  | { readonly kind: "SHIP_REQUESTED" }
  | { readonly kind: "SHIPPED"; readonly captured: bigint }
  | { readonly kind: "DELIVERED" }
  | { readonly kind: "REFUNDED"; readonly captured: bigint; readonly refunded: bigint }
  | {
      readonly kind: "ATTENTION_RAISED";
      readonly reason: AttentionReason;
      readonly detail: string;
      readonly captured: bigint;
    };

/** An event in an order's log. */
export type LoggedOrderEvent = LoggedEvent<OrderEvent>;

/** The states that each event can follow. PLACED is the first event of a log and no other. */
const follows: Readonly<Record<Exclude<OrderEvent["kind"], "PLACED">, readonly OrderState[] | "any">> = {
  STOCK_RESERVED: ["PENDING"],
  CONFIRMED: ["STOCK_RESERVED"],
  REJECTED: ["PENDING", "STOCK_RESERVED"],
  CANCEL_REQUESTED: ["PENDING", "STOCK_RESERVED", "REJECTING_WAITS", "CONFIRMED", "SHIPPING_WAITS", "CANCELLING_WAITS"],
  CANCELLED: ["CANCELLING"],
  SHIP_REQUESTED: ["CONFIRMED", "SHIPPING_WAITS"],
  SHIPPED: ["SHIPPING"],
  DELIVERED: ["SHIPPED"],
  REFUNDED: "any",
  ATTENTION_RAISED: ["STOCK_RESERVED", "SHIPPING", "CANCELLING"],
};

/** Folds one more event of its log into the order. Throws where the event cannot follow: such a log is broken. */
export function apply(order: Order | undefined, logged: LoggedOrderEvent): Order {
  const { event, version, time } = logged;
  if (version !== (order?.version ?? 0) + 1)
    throw new Error(`order ${logged.subjectId}: version ${version} cannot follow ${order?.version ?? "nothing"}`);
  if (order === undefined) {
    if (event.kind === "PLACED") return place(logged, event);
    throw new Error(`order ${logged.subjectId}: its log begins with ${event.kind}`);
  }
  const state = stateOf(order);
  const before = event.kind === "PLACED" ? [] : follows[event.kind];
  if (before !== "any" && !before.includes(state))
    throw new Error(`order ${logged.subjectId}: ${event.kind} cannot follow ${state}`);
  return { ...order, ...changes(event, time), version, updateTime: time };
}

/** Folds an order's whole log, oldest event first; undefined for an empty one. */
export function fold(log: Iterable<LoggedOrderEvent>): Order | undefined {
  let order: Order | undefined;
  for (const logged of log) order = apply(order, logged);
  return order;
}

/** Whether this version knows an event of that kind. */
export function isEventKind(kind: string): kind is OrderEvent["kind"] {
  return kind === "PLACED" || Object.hasOwn(follows, kind);
}

function place({ subjectId, version, time }: LoggedOrderEvent, placed: PlacedEvent): Order {
  const { kind: _, ...given } = placed;
  return {
    ...given,
    id: subjectId,
    version,
    status: "PENDING",
    captured: 0n,
    refunded: 0n,
    rejectionReason: undefined,
    pendingAction: undefined,
    attention: undefined,
    createTime: time,
    updateTime: time,
  };
}

function changes(event: OrderEvent, time: Date): Partial<Order> {
  switch (event.kind) {
    case "PLACED":
      return {};
    case "STOCK_RESERVED":
    case "CONFIRMED":
    case "DELIVERED":
      return { status: event.kind };
    case "REJECTED":
      return { status: "REJECTED", rejectionReason: event.reason };
    case "CANCEL_REQUESTED":
      return { pendingAction: "CANCEL", attention: undefined };
    case "CANCELLED":
      return { status: "CANCELLED", pendingAction: undefined };
    case "SHIP_REQUESTED":
      return { pendingAction: "SHIP", attention: undefined };
    case "SHIPPED":
      return { status: "SHIPPED", pendingAction: undefined, captured: event.captured };
    case "REFUNDED":
      return { captured: event.captured, refunded: event.refunded };
    case "ATTENTION_RAISED":
      return { attention: { reason: event.reason, detail: event.detail, since: time }, captured: event.captured };
  }
}
