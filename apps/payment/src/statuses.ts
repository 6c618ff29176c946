// Every list of names that is a column of this service, once: the types and the tables' checks are made from these. The
// names are the contract's, which payment/message.ts holds them to. A change of a list is a migration.

export const paymentStatuses = ["PENDING", "AUTHORIZED", "CAPTURED", "VOIDED", "REFUNDED", "DECLINED"] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

/** What a payment's operation asks the provider for. */
export type OperationKind = "AUTHORIZE" | "CAPTURE" | "VOID" | "REFUND";

export const attentionReasons = ["REFUND_REFUSED"] as const;
export type AttentionReason = (typeof attentionReasons)[number];
