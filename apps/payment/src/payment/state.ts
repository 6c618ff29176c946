import { CallError } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { ProviderAnswer } from "../provider/provider.ts";

/**
 * The payment of one order, as pure functions: what each command makes of it, and how its event log folds to it.
 *
 *     (none) --authorize--> PENDING --approved--> AUTHORIZED --capture--> CAPTURED --all refunded--> REFUNDED
 *       |                     |  \--declined--> DECLINED  |
 *       +---------void--------+------------void-----------+--> VOIDED
 *
 * What has an effect at the provider is two events: X_STARTED before it, which puts the operation on the payment, and its result,
 * which takes it off. At most one operation is in flight; whoever meets one finishes it before anything else. One exception: a void
 * takes the place of an authorization in flight, because the provider refuses an authorization whose void came first. Where that void is refused, what
 * became of the authorization is not known: the payment stays PENDING with nothing in flight, and its order waits for a person.
 */
export interface Payment {
  readonly id: string;
  readonly version: number;
  readonly orderId: string;
  /** Undefined on the tombstone of a void that came before its authorization, like all that only the authorization tells. */
  readonly userId: string | undefined;
  readonly status: PaymentStatus;
  readonly amount: bigint;
  readonly currency: string | undefined;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly paymentMethod: string | undefined;
  readonly declineCode: string | undefined;
  readonly operation: Operation | undefined;
  /** Set where something ended that nobody was told of, and a person must look. */
  readonly attention: Attention | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** Why a payment waits for a person, and since when. */
export interface Attention {
  readonly reason: AttentionReason;
  /** The provider's code. */
  readonly detail: string;
  readonly since: Date;
}

export type AttentionReason = "REFUND_REFUSED";

export type PaymentStatus = "PENDING" | "AUTHORIZED" | "CAPTURED" | "VOIDED" | "REFUNDED" | "DECLINED";

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

export type OperationKind = "AUTHORIZE" | "CAPTURE" | "VOID" | "REFUND";

/** Who asks, and the id that makes the operation's key its own. */
export type OperationOrigin = Pick<Operation, "actor" | "reason" | "traceparent"> & { readonly operationId: string };

export interface AuthorizeCommand {
  readonly orderId: string;
  readonly userId: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
}

export type PaymentEvent =
  | (AuthorizeCommand & { readonly type: "AUTHORIZATION_STARTED"; readonly operation: Operation })
  | { readonly type: "AUTHORIZED"; readonly key: string; readonly reference: string }
  | { readonly type: "DECLINED"; readonly key: string; readonly code: string }
  | { readonly type: "CAPTURE_STARTED" | "VOID_STARTED" | "REFUND_STARTED"; readonly operation: Operation }
  | { readonly type: "CAPTURED" | "REFUNDED"; readonly key: string; readonly reference: string }
  | { readonly type: "CAPTURE_REFUSED" | "VOID_REFUSED"; readonly key: string; readonly code: string }
  /** `untold`: nobody waited for the answer, so that a person must look. */
  | { readonly type: "REFUND_REFUSED"; readonly key: string; readonly code: string; readonly untold?: true }
  | { readonly type: "ATTENTION_RESOLVED" }
  /** Without a key it is the tombstone: there was nothing to let go. */
  | { readonly type: "VOIDED"; readonly orderId: string; readonly key: string; readonly reference: string };

/** What a command comes to: nothing to do, an operation to finish first, or an event to commit. */
export type Step =
  | { readonly kind: "DONE" }
  | { readonly kind: "FINISH" }
  | { readonly kind: "START"; readonly event: PaymentEvent };

const done: Step = { kind: "DONE" };
const finish: Step = { kind: "FINISH" };

/** The key of an order's one authorization. It needs no id of its own: there is never a second. */
export function authorizationKey(orderId: string): string {
  return `${orderId}:authorize`;
}

/**
 * The key of one attempt to capture. All who ask for that attempt, at once or late, get what became of it: were a capture that was
 * refused begun anew for the second of them, one would be told that the money is not there and the other take it.
 */
export function captureKey(orderId: string, attempt: number): string {
  return `${orderId}:capture:${attempt}`;
}

/** Decides what AuthorizePayment does. */
export function authorize(payment: Payment | undefined, command: AuthorizeCommand, origin: OperationOrigin): Step {
  if (payment === undefined) {
    const operation = operationOf("AUTHORIZE", authorizationKey(command.orderId), command.amount, origin);
    return { kind: "START", event: { ...command, type: "AUTHORIZATION_STARTED", operation } };
  }
  const tombstone = payment.userId === undefined;
  if (!tombstone && differs(payment, command)) throw new CallError(errors.PAYMENT_MISMATCH);
  if (payment.operation !== undefined) return finish;
  if (payment.status === "VOIDED") throw new CallError(errors.PAYMENT_VOIDED);
  if (payment.status === "DECLINED") throw declined(payment);
  if (payment.status === "PENDING") throw new CallError(errors.VOID_REFUSED);
  return done;
}

/** Decides what CapturePayment does. `refusedWith` is the provider's code where this attempt was refused before. */
export function capture(
  payment: Payment | undefined,
  attempt: { readonly key: string; readonly refusedWith: string | undefined },
  origin: OperationOrigin,
): Step {
  if (payment === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
  if (payment.operation !== undefined) return finish;
  switch (payment.status) {
    case "AUTHORIZED":
      if (attempt.refusedWith !== undefined) throw refusalOf("CAPTURE", attempt.refusedWith);
      return {
        kind: "START",
        event: { type: "CAPTURE_STARTED", operation: operationOf("CAPTURE", attempt.key, payment.amount, origin) },
      };
    case "VOIDED":
      throw new CallError(errors.PAYMENT_VOIDED);
    case "DECLINED":
      throw declined(payment);
    case "CAPTURED":
    case "REFUNDED":
      return done;
    case "PENDING":
      throw new CallError(errors.VOID_REFUSED);
  }
}

/** Decides what VoidPayment does. `orderId` names the order of a payment that does not exist yet. */
export function voidPayment(payment: Payment | undefined, orderId: string, origin: OperationOrigin): Step {
  if (payment === undefined) return { kind: "START", event: { type: "VOIDED", orderId, key: "", reference: "" } };
  const start = (): Step => ({
    kind: "START",
    event: { type: "VOID_STARTED", operation: followUp("VOID", payment, payment.amount, origin) },
  });
  if (payment.operation?.kind === "AUTHORIZE") return start();
  if (payment.operation !== undefined) return finish;
  switch (payment.status) {
    case "AUTHORIZED":
    // Its void was refused before: whoever asks again has the provider asked again.
    case "PENDING":
      return start();
    case "VOIDED":
    case "DECLINED":
    case "REFUNDED":
      return done;
    case "CAPTURED":
      throw new CallError(errors.PAYMENT_CAPTURED);
  }
}

/** Decides what RefundPayment does. Without an amount it is all that is left. */
export function refund(
  payment: Payment,
  amount: { readonly minorUnits: bigint; readonly currency: string } | undefined,
  origin: OperationOrigin,
): Step {
  if (payment.operation !== undefined) return finish;
  if (payment.status !== "CAPTURED" && payment.status !== "REFUNDED") throw new CallError(errors.PAYMENT_NOT_CAPTURED);
  if (amount !== undefined && amount.currency !== payment.currency) throw new CallError(errors.PAYMENT_MISMATCH);
  const left = payment.captured - payment.refunded;
  const asked = amount?.minorUnits ?? left;
  if (asked > left || asked <= 0n) throw new CallError(errors.REFUND_TOO_LARGE);
  return { kind: "START", event: { type: "REFUND_STARTED", operation: followUp("REFUND", payment, asked, origin) } };
}

/** Decides what ResolvePaymentAttention does. */
export function resolveAttention(payment: Payment): Step {
  return payment.attention === undefined ? done : { kind: "START", event: { type: "ATTENTION_RESOLVED" } };
}

/** What the provider's answer to the operation in flight makes of the payment. `isTold`: whoever asked for the operation waits for the answer. */
export function settle(
  payment: Payment,
  operation: Operation,
  answer: ProviderAnswer,
  { isTold }: { readonly isTold: boolean },
): PaymentEvent {
  const { key } = operation;
  if (answer.kind === "DECLINED") {
    const { code } = answer;
    if (operation.kind === "REFUND" && !isTold) return { type: "REFUND_REFUSED", key, code, untold: true };
    return { type: refusedTypes[operation.kind], key, code };
  }
  const { reference } = answer;
  if (operation.kind === "VOID") return { type: "VOIDED", orderId: payment.orderId, key, reference };
  return { type: approvedTypes[operation.kind], key, reference };
}

const approvedTypes = { AUTHORIZE: "AUTHORIZED", CAPTURE: "CAPTURED", REFUND: "REFUNDED" } as const;
const refusedTypes = {
  AUTHORIZE: "DECLINED",
  CAPTURE: "CAPTURE_REFUSED",
  VOID: "VOID_REFUSED",
  REFUND: "REFUND_REFUSED",
} as const;

/** The refusal that the caller gets where the provider declined their operation on a payment that stood at `status`. */
export function refusalOf(kind: OperationKind, code: string, status?: PaymentStatus) {
  const metadata = { decline_code: code };
  switch (kind) {
    case "AUTHORIZE":
      return new CallError(errors.PAYMENT_DECLINED, { metadata });
    case "CAPTURE":
      return new CallError(code === "authorization_expired" ? errors.AUTHORIZATION_EXPIRED : errors.CAPTURE_REFUSED, {
        metadata,
      });
    case "VOID":
      return new CallError(status === "PENDING" ? errors.VOID_REFUSED : errors.PAYMENT_CAPTURED, { metadata });
    case "REFUND":
      return new CallError(errors.REFUND_REFUSED, { metadata });
  }
}

function declined(payment: Payment) {
  return refusalOf("AUTHORIZE", payment.declineCode ?? "");
}

function differs(payment: Payment, command: AuthorizeCommand): boolean {
  return (
    payment.amount !== command.amount ||
    payment.currency !== command.currency ||
    payment.userId !== command.userId ||
    payment.paymentMethod !== command.paymentMethod
  );
}

function followUp(kind: "VOID" | "REFUND", payment: Payment, amount: bigint, origin: OperationOrigin): Operation {
  return operationOf(kind, `${payment.orderId}:${kind.toLowerCase()}:${origin.operationId}`, amount, origin);
}

function operationOf(kind: OperationKind, key: string, amount: bigint, origin: OperationOrigin): Operation {
  const { actor, reason, traceparent } = origin;
  return { kind, key, amount, actor, reason, traceparent };
}

/** A state that no sequence of events leads to: a defect. */
export function illegal(payment: Payment | undefined, what: string): Error {
  return new Error(`payment ${payment?.id ?? "(none)"} is ${payment?.status ?? "not there"}: ${what} is illegal`);
}
