// Every list of names that is a column of this service, once: the types, the tables' checks and the queries are made
// from these. The names are the contract's, which order/message.ts holds them to. A change of a list is a migration.

export const orderStatuses = [
  "PENDING",
  "STOCK_RESERVED",
  "CONFIRMED",
  "SHIPPED",
  "DELIVERED",
  "REJECTED",
  "CANCELLED",
] as const;
export type OrderStatus = (typeof orderStatuses)[number];

/** The statuses in which the checkout goes on by itself. In the others it waits for an order's pending action. */
export const activeStatuses = ["PENDING", "STOCK_RESERVED"] as const satisfies readonly OrderStatus[];

export const rejectionReasons = ["OUT_OF_STOCK", "PAYMENT_DECLINED", "QUANTITY_LIMIT"] as const;
export type RejectionReason = (typeof rejectionReasons)[number];

export const pendingActions = ["SHIP", "CANCEL"] as const;
export type PendingAction = (typeof pendingActions)[number];

export const attentionReasons = [
  "CAPTURE_REFUSED",
  "AUTHORIZATION_EXPIRED",
  "STOCK_LOST",
  "COMPENSATION_FAILED",
] as const;
export type AttentionReason = (typeof attentionReasons)[number];
