import {
  type AttentionReason,
  type Order,
  type OrderEvent,
  type OrderState,
  type OrderStatus,
  type PendingAction,
  type RejectionReason,
  stateOf,
} from "./state.ts";

/** What can be asked of an order: the first four by people, the rest by the saga and by what payments report. */
export type Command =
  | { readonly kind: "requestShip" }
  /** A customer's request leaves an order that waits for a person to that person; an admin's settles it. */
  | { readonly kind: "requestCancel" }
  | { readonly kind: "settleByCancel" }
  | { readonly kind: "deliver" }
  | { readonly kind: "stockReserved" }
  | { readonly kind: "confirm"; readonly authorized: bigint }
  | { readonly kind: "reject"; readonly reason: RejectionReason }
  | { readonly kind: "shipped"; readonly captured: bigint }
  | { readonly kind: "cancelled" }
  | {
      readonly kind: "raiseAttention";
      readonly reason: AttentionReason;
      readonly detail: string;
      /** What is known to have been taken. Without it, what the order says. */
      readonly captured?: bigint;
    }
  /** The payment's totals. Money that moved is recorded wherever the order stands. */
  | { readonly kind: "recordRefund"; readonly captured: bigint; readonly refunded: bigint };

/** Why people are refused: reasons of the contract. */
export type RefusalReason =
  | "ORDER_CLOSED"
  | "ORDER_SHIPPED"
  | "ORDER_NOT_CONFIRMED"
  | "ORDER_NOT_SHIPPED"
  | "SHIPPING_REQUESTED"
  | "CANCELLATION_REQUESTED";

/** Why the saga and reports are refused. No person can cause these: they are for the logs. */
export type StepRefusalReason = "OUT_OF_TURN" | "AMOUNT_IMPOSSIBLE";

/** What a command comes to: an event to commit, nothing because it is so already, or a refusal. */
export type Answer =
  | { readonly kind: "EVENT"; readonly event: OrderEvent }
  | { readonly kind: "NOTHING" }
  | { readonly kind: "REFUSED"; readonly reason: RefusalReason | StepRefusalReason };

type Rule = "ALLOW" | "NOTHING" | RefusalReason | "OUT_OF_TURN";
type Row = Readonly<Record<OrderState, Rule>>;

const everywhere = (rule: Rule): Row => ({
  PENDING: rule,
  STOCK_RESERVED: rule,
  REJECTING_WAITS: rule,
  CONFIRMED: rule,
  SHIPPING: rule,
  SHIPPING_WAITS: rule,
  CANCELLING: rule,
  CANCELLING_WAITS: rule,
  SHIPPED: rule,
  DELIVERED: rule,
  REJECTED: rule,
  CANCELLED: rule,
});

const closed = { DELIVERED: "ORDER_CLOSED", REJECTED: "ORDER_CLOSED", CANCELLED: "ORDER_CLOSED" } as const;
const cancelling = { CANCELLING: "CANCELLATION_REQUESTED", CANCELLING_WAITS: "CANCELLATION_REQUESTED" } as const;
const shipping = { SHIPPING: "SHIPPING_REQUESTED", SHIPPING_WAITS: "SHIPPING_REQUESTED" } as const;
/** A saga step that was overtaken: what it asked for was refused by a person's request, or the order has ended. */
const overtaken: Row = { ...everywhere("OUT_OF_TURN"), ...cancelling, ...closed };
const past = { CONFIRMED: "NOTHING", SHIPPING: "NOTHING", SHIPPING_WAITS: "NOTHING", SHIPPED: "NOTHING" } as const;

const cancelByCustomer: Row = {
  ...everywhere("ALLOW"),
  ...shipping,
  CANCELLING: "NOTHING",
  CANCELLING_WAITS: "NOTHING",
  SHIPPED: "ORDER_SHIPPED",
  ...closed,
};

/** Every command in every state. */
const transitions: Readonly<Record<Command["kind"], Row>> = {
  requestShip: {
    ...everywhere("ORDER_NOT_CONFIRMED"),
    CONFIRMED: "ALLOW",
    SHIPPING: "NOTHING",
    SHIPPING_WAITS: "ALLOW",
    SHIPPED: "ORDER_SHIPPED",
    ...cancelling,
    ...closed,
  },
  requestCancel: cancelByCustomer,
  settleByCancel: { ...cancelByCustomer, SHIPPING_WAITS: "ALLOW", CANCELLING_WAITS: "ALLOW" },
  deliver: { ...everywhere("ORDER_NOT_SHIPPED"), SHIPPED: "ALLOW", ...closed },
  stockReserved: { ...overtaken, PENDING: "ALLOW", STOCK_RESERVED: "NOTHING", ...past, DELIVERED: "NOTHING" },
  confirm: { ...overtaken, STOCK_RESERVED: "ALLOW", ...past, DELIVERED: "NOTHING" },
  reject: { ...overtaken, PENDING: "ALLOW", STOCK_RESERVED: "ALLOW", REJECTED: "NOTHING" },
  shipped: { ...overtaken, SHIPPING: "ALLOW", SHIPPED: "NOTHING", DELIVERED: "NOTHING" },
  cancelled: { ...overtaken, ...shipping, CANCELLING: "ALLOW", CANCELLING_WAITS: "OUT_OF_TURN", CANCELLED: "NOTHING" },
  raiseAttention: {
    ...everywhere("OUT_OF_TURN"),
    STOCK_RESERVED: "ALLOW",
    SHIPPING: "ALLOW",
    CANCELLING: "ALLOW",
    REJECTING_WAITS: "NOTHING",
    SHIPPING_WAITS: "NOTHING",
    CANCELLING_WAITS: "NOTHING",
    ...closed,
  },
  recordRefund: everywhere("ALLOW"),
};

/** What the command comes to for the order as it stands. Total: it never throws and never leaves a pair out. */
export function decide(order: Order, command: Command): Answer {
  const rule = transitions[command.kind][stateOf(order)];
  if (rule === "ALLOW") return answer(order, command);
  if (rule === "NOTHING") return { kind: "NOTHING" };
  return refused(rule);
}

function answer(order: Order, command: Command): Answer {
  switch (command.kind) {
    case "requestShip":
      return event({ kind: "SHIP_REQUESTED" });
    case "requestCancel":
    case "settleByCancel":
      return event({ kind: "CANCEL_REQUESTED" });
    case "deliver":
      return event({ kind: "DELIVERED" });
    case "stockReserved":
      return event({ kind: "STOCK_RESERVED" });
    case "confirm":
      return command.authorized === order.total ? event({ kind: "CONFIRMED" }) : refused("AMOUNT_IMPOSSIBLE");
    case "reject":
      return rejectedAt[command.reason] === order.status
        ? event({ kind: "REJECTED", reason: command.reason })
        : refused("OUT_OF_TURN");
    case "shipped":
      return command.captured === order.total
        ? event({ kind: "SHIPPED", captured: command.captured })
        : refused("AMOUNT_IMPOSSIBLE");
    case "cancelled":
      return event({ kind: "CANCELLED" });
    case "raiseAttention":
      return raise(order, command);
    case "recordRefund":
      return refund(order, command);
  }
}

/** Where each rejection comes from: a declined card cannot reject what is not reserved yet. */
const rejectedAt = {
  OUT_OF_STOCK: "PENDING",
  QUANTITY_LIMIT: "PENDING",
  PAYMENT_DECLINED: "STOCK_RESERVED",
} as const satisfies Readonly<Record<RejectionReason, OrderStatus>>;

/** What was being done when each kind of attention is raised. */
const raisedBy: Readonly<Record<AttentionReason, PendingAction | undefined>> = {
  CAPTURE_REFUSED: "SHIP",
  AUTHORIZATION_EXPIRED: "SHIP",
  STOCK_LOST: "SHIP",
  COMPENSATION_FAILED: "CANCEL",
};

function raise(order: Order, command: Extract<Command, { kind: "raiseAttention" }>): Answer {
  const { reason, detail, captured = order.captured } = command;
  // A rejection that could not give the stock back has no pending action.
  const fits =
    order.pendingAction === undefined ? reason === "COMPENSATION_FAILED" : order.pendingAction === raisedBy[reason];
  if (!fits) return refused("OUT_OF_TURN");
  if (captured < order.captured || captured > order.total) return refused("AMOUNT_IMPOSSIBLE");
  return event({ kind: "ATTENTION_RAISED", reason, detail, captured });
}

function refund(order: Order, { captured, refunded }: Extract<Command, { kind: "recordRefund" }>): Answer {
  // Reports can arrive late and out of order. What was given back only grows, so the larger total is the newer.
  if (refunded <= order.refunded) return { kind: "NOTHING" };
  if (captured < order.captured || captured > order.total || refunded > captured) return refused("AMOUNT_IMPOSSIBLE");
  return event({ kind: "REFUNDED", captured, refunded });
}

function event(what: OrderEvent): Answer {
  return { kind: "EVENT", event: what };
}

function refused(reason: RefusalReason | StepRefusalReason): Answer {
  return { kind: "REFUSED", reason };
}
