import type { AttentionReason, OrderStatus, PendingAction, RejectionReason } from "../statuses.ts";
import type { OrderEvent } from "./events.ts";
import { type Order, type OrderState, orderStates, stateOf } from "./state.ts";

/** The commands: the first four come from people, the others from the checkout and from payment events. */
export type Command =
  | { readonly kind: "requestShip" }
  /** From a customer, who cannot cancel an order that waits for a person. An admin can: `settleByCancel`. */
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
      /** The amount that is known to be captured; without it, the order's own. */
      readonly captured?: bigint;
    }
  /** The payment's totals. Allowed in every state: the money has moved already. */
  | { readonly kind: "recordRefund"; readonly captured: bigint; readonly refunded: bigint };

/** Why a person's command is refused: reasons of the contract. */
export type RefusalReason =
  | "ORDER_CLOSED"
  | "ORDER_SHIPPED"
  | "ORDER_NOT_CONFIRMED"
  | "ORDER_NOT_SHIPPED"
  | "SHIPPING_REQUESTED"
  | "CANCELLATION_REQUESTED";

/** Why a command of the checkout or of a payment event is refused. No person can cause these: they are for the log. */
export type StepRefusalReason = "OUT_OF_TURN" | "AMOUNT_IMPOSSIBLE";

/** The result of a command: an event to commit, nothing because it is done already, or a refusal. */
export type Decision =
  | { readonly kind: "EVENT"; readonly event: OrderEvent }
  | { readonly kind: "NOTHING" }
  | { readonly kind: "REFUSED"; readonly reason: RefusalReason | StepRefusalReason };

type Rule = "ALLOW" | "NOTHING" | RefusalReason | "OUT_OF_TURN";
type Row = Readonly<Record<OrderState, Rule>>;

const everywhere = (rule: Rule): Row =>
  // Object.fromEntries does not say which keys it returns: they are all states.
  Object.fromEntries(orderStates.map((state) => [state, rule])) as Record<OrderState, Rule>;

const closed = { DELIVERED: "ORDER_CLOSED", REJECTED: "ORDER_CLOSED", CANCELLED: "ORDER_CLOSED" } as const;
const cancelling = { CANCELLING: "CANCELLATION_REQUESTED", CANCELLING_WAITS: "CANCELLATION_REQUESTED" } as const;
const shipping = { SHIPPING: "SHIPPING_REQUESTED", SHIPPING_WAITS: "SHIPPING_REQUESTED" } as const;
/** For a step of the checkout that was overtaken by a person's request, or by the end of the order. */
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

/** Decides a command on an order. Total: it never throws, and every pair of command and state has a rule. */
export function decide(order: Order, command: Command): Decision {
  const rule = transitions[command.kind][stateOf(order)];
  if (rule === "ALLOW") return eventFor(order, command);
  if (rule === "NOTHING") return { kind: "NOTHING" };
  return refused(rule);
}

function eventFor(order: Order, command: Command): Decision {
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

/** The status that each rejection follows: a declined card cannot reject an order whose stock is not reserved yet. */
const rejectedAt = {
  OUT_OF_STOCK: "PENDING",
  QUANTITY_LIMIT: "PENDING",
  PAYMENT_DECLINED: "STOCK_RESERVED",
} as const satisfies Readonly<Record<RejectionReason, OrderStatus>>;

/** The pending action during which each kind of attention is raised. */
const raisedBy: Readonly<Record<AttentionReason, PendingAction | undefined>> = {
  CAPTURE_REFUSED: "SHIP",
  AUTHORIZATION_EXPIRED: "SHIP",
  STOCK_LOST: "SHIP",
  COMPENSATION_FAILED: "CANCEL",
};

function raise(order: Order, command: Extract<Command, { kind: "raiseAttention" }>): Decision {
  const { reason, detail, captured = order.captured } = command;
  // A rejection whose stock could not be released has no pending action.
  const fits =
    order.pendingAction === undefined ? reason === "COMPENSATION_FAILED" : order.pendingAction === raisedBy[reason];
  if (!fits) return refused("OUT_OF_TURN");
  if (captured < order.captured || captured > order.total) return refused("AMOUNT_IMPOSSIBLE");
  return event({ kind: "ATTENTION_RAISED", reason, detail, captured });
}

function refund(order: Order, { captured, refunded }: Extract<Command, { kind: "recordRefund" }>): Decision {
  // Payment events can arrive late and out of order. The refunded total only grows, so the larger one is the newer.
  if (refunded <= order.refunded) return { kind: "NOTHING" };
  if (captured < order.captured || captured > order.total || refunded > captured) return refused("AMOUNT_IMPOSSIBLE");
  return event({ kind: "REFUNDED", captured, refunded });
}

function event(decided: OrderEvent): Decision {
  return { kind: "EVENT", event: decided };
}

function refused(reason: RefusalReason | StepRefusalReason): Decision {
  return { kind: "REFUSED", reason };
}
