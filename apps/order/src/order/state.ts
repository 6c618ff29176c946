/** The states an order can be in. They are the contract's names. */
export type OrderStatus =
  | "PENDING"
  | "STOCK_RESERVED"
  | "CONFIRMED"
  | "SHIPPED"
  | "DELIVERED"
  | "REJECTED"
  | "CANCELLED";
export type RejectionReason = "OUT_OF_STOCK" | "QUANTITY_LIMIT" | "PAYMENT_DECLINED";
export type PendingAction = "SHIP" | "CANCEL";
export type AttentionReason = "CAPTURE_REFUSED" | "AUTHORIZATION_EXPIRED" | "STOCK_LOST" | "COMPENSATION_FAILED";

/** One line of an order, at the name and the price of the moment. Amounts are in the order's currency, in minor units. */
export interface OrderLine {
  readonly productId: string;
  readonly name: string;
  readonly unitPrice: bigint;
  readonly quantity: number;
  readonly total: bigint;
}

export interface Address {
  readonly name: string;
  readonly lines: readonly string[];
  readonly city: string;
  readonly postalCode: string;
  readonly countryCode: string;
}

/** Why an order waits for a person, and since when. */
export interface Attention {
  readonly reason: AttentionReason;
  readonly detail: string;
  readonly since: Date;
}

/** An order as it stands: its log, folded. */
export interface Order {
  readonly id: string;
  readonly version: number;
  readonly userId: string;
  readonly status: OrderStatus;
  readonly items: readonly OrderLine[];
  readonly currency: string;
  readonly total: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly paymentMethod: string;
  readonly shippingAddress: Address | undefined;
  readonly rejectionReason: RejectionReason | undefined;
  readonly pendingAction: PendingAction | undefined;
  readonly attention: Attention | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** What a new order is made of. */
export interface Placed {
  readonly kind: "PLACED";
  readonly userId: string;
  readonly items: readonly OrderLine[];
  readonly currency: string;
  readonly total: bigint;
  readonly paymentMethod: string;
  readonly shippingAddress: Address | undefined;
}

/** What can happen to an order. The kinds are those of the published event. */
export type OrderEvent =
  | Placed
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

/** An event in an order's log: which version it made, and when. */
export interface LoggedEvent {
  readonly orderId: string;
  readonly version: number;
  readonly time: Date;
  readonly event: OrderEvent;
}

/**
 * Where an order stands, with what was asked for: the states of the transition table. SHIPPING and CANCELLING are a CONFIRMED
 * (or, for CANCELLING, an earlier) order with that action pending; ..._WAITS is one of them that waits for a person.
 */
export type OrderState =
  | "PENDING"
  | "STOCK_RESERVED"
  | "REJECTING_WAITS"
  | "CONFIRMED"
  | "SHIPPING"
  | "SHIPPING_WAITS"
  | "CANCELLING"
  | "CANCELLING_WAITS"
  | "SHIPPED"
  | "DELIVERED"
  | "REJECTED"
  | "CANCELLED";

/** Names the state of an order. */
export function stateOf(order: Order): OrderState {
  const waits = order.attention !== undefined;
  if (order.pendingAction === "SHIP") return waits ? "SHIPPING_WAITS" : "SHIPPING";
  if (order.pendingAction === "CANCEL") return waits ? "CANCELLING_WAITS" : "CANCELLING";
  return waits ? "REJECTING_WAITS" : order.status;
}

/** Whether nothing will happen to the order until somebody asks for something. */
export function isAtRest(order: Order): boolean {
  return !(moving as readonly OrderState[]).includes(stateOf(order));
}

/** The states in which the saga has work. Their SQL twin is the partial index `orders_stalled` of schema.ts. */
const moving = ["PENDING", "STOCK_RESERVED", "SHIPPING", "CANCELLING"] as const satisfies readonly OrderState[];

/** After which states an event can stand in a log. PLACED stands first and nowhere else. */
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

/** The order after one more event of its log. Throws where the event cannot stand there: such a log is broken. */
export function apply(order: Order | undefined, logged: LoggedEvent): Order {
  const { event, version, time } = logged;
  if (version !== (order?.version ?? 0) + 1)
    throw new Error(`order ${logged.orderId}: version ${version} cannot follow ${order?.version ?? "nothing"}`);
  if (order === undefined) {
    if (event.kind === "PLACED") return place(logged, event);
    throw new Error(`order ${logged.orderId}: its log begins with ${event.kind}`);
  }
  const state = stateOf(order);
  const before = event.kind === "PLACED" ? [] : follows[event.kind];
  if (before !== "any" && !before.includes(state))
    throw new Error(`order ${logged.orderId}: ${event.kind} cannot follow ${state}`);
  return { ...order, ...changes(event, time), version, updateTime: time };
}

/** An order from its whole log, oldest first; undefined for an empty one. */
export function fold(log: Iterable<LoggedEvent>): Order | undefined {
  let order: Order | undefined;
  for (const logged of log) order = apply(order, logged);
  return order;
}

function place({ orderId, version, time }: LoggedEvent, placed: Placed): Order {
  const { kind: _, ...given } = placed;
  return {
    ...given,
    id: orderId,
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
