import type { Attention } from "@rialto/database";
import {
  type AttentionReason,
  activeStatuses,
  type OrderStatus,
  orderStatuses,
  type PendingAction,
  type RejectionReason,
} from "../statuses.ts";

/** An order: its log, folded. Amounts are in the order's currency, in minor units. */
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
  readonly attention: Attention<AttentionReason> | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** One line of an order, with the product's name and price at the time of the order. */
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

/**
 * The states of the transition table: the status, unless an action is pending or the order waits for a person. SHIPPING
 * and CANCELLING are a CONFIRMED (or, for CANCELLING, an earlier) order with that action pending; ..._WAITS is one of
 * them that waits for a person.
 */
export const orderStates = [
  ...orderStatuses,
  "REJECTING_WAITS",
  "SHIPPING",
  "SHIPPING_WAITS",
  "CANCELLING",
  "CANCELLING_WAITS",
] as const;
export type OrderState = (typeof orderStates)[number];

/** Names the state of an order. */
export function stateOf(order: Order): OrderState {
  const waits = order.attention !== undefined;
  if (order.pendingAction === "SHIP") return waits ? "SHIPPING_WAITS" : "SHIPPING";
  if (order.pendingAction === "CANCEL") return waits ? "CANCELLING_WAITS" : "CANCELLING";
  return waits ? "REJECTING_WAITS" : order.status;
}

/** Whether nothing will happen to the order until a person asks for something. */
export function isAtRest(order: Order): boolean {
  return !activeStates.includes(stateOf(order));
}

/** The states in which the checkout has work. In SQL this is `hasCheckoutWork` of schema.ts. */
const activeStates: readonly OrderState[] = [...activeStatuses, "SHIPPING", "CANCELLING"];
