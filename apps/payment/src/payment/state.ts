import type { Attention } from "@rialto/database";
import type { AttentionReason, OperationKind, PaymentStatus } from "../statuses.ts";

/**
 * The payment of one order: its log, folded.
 *
 *     (none) --authorize--> PENDING --approved--> AUTHORIZED --capture--> CAPTURED --all refunded--> REFUNDED
 *       |                     |  \--declined--> DECLINED  |
 *       +---------void--------+------------void-----------+--> VOIDED
 *
 * Every effect at the provider is two events: X_STARTED before it, which puts the operation on the payment, and its
 * result, which removes it. At most one operation is in flight, and it is finished before anything else happens. One
 * exception: a void replaces an authorization in flight, because the provider refuses an authorization whose void came
 * first. Where that void is refused, the outcome of the authorization is unknown: the payment stays PENDING with
 * nothing in flight, and its order waits for a person.
 */
export interface Payment {
  readonly id: string;
  readonly version: number;
  readonly orderId: string;
  /**
   * Undefined on a tombstone, which a void leaves that came before its authorization; so is every field that the
   * authorization brings.
   */
  readonly userId: string | undefined;
  readonly status: PaymentStatus;
  readonly amount: bigint;
  readonly currency: string | undefined;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly paymentMethod: string | undefined;
  readonly declineCode: string | undefined;
  readonly operation: Operation | undefined;
  /** Set where an operation ended without its caller, and a person must look. Its detail is the provider's code. */
  readonly attention: Attention<AttentionReason> | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** What the provider is being asked for. */
export interface Operation {
  readonly kind: OperationKind;
  /** The provider's idempotency key. */
  readonly key: string;
  readonly amount: bigint;
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
}
