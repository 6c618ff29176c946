import { CallError } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { ProviderAnswer } from "../provider/provider.ts";
import type { OperationKind, PaymentStatus } from "../statuses.ts";
import type { AuthorizeCommand, PaymentEvent } from "./events.ts";
import type { Operation, Payment } from "./state.ts";

/** Who asks for an operation and why, for the log and the traces, and the id that makes the operation's key unique. */
export type OperationContext = Pick<Operation, "actor" | "reason" | "traceparent"> & { readonly operationId: string };

/**
 * The result of a command: an event to commit, nothing because it is done already, or an operation in flight to finish
 * first. A refusal is thrown.
 */
export type Decision =
  | { readonly kind: "EVENT"; readonly event: PaymentEvent }
  | { readonly kind: "NOTHING" }
  | { readonly kind: "FINISH" };

const nothing: Decision = { kind: "NOTHING" };
const finish: Decision = { kind: "FINISH" };

/** The key of an order's authorization. It has no id of its own: there is never a second one. */
export function authorizationKey(orderId: string): string {
  return `${orderId}:authorize`;
}

/**
 * The key of one attempt to capture. All callers of that attempt, concurrent or late, get its one result: if a refused
 * capture were started anew for the second of them, one would report a refusal while the other captures the money.
 */
export function captureKey(orderId: string, attempt: number): string {
  return `${orderId}:capture:${attempt}`;
}

/** Decides what AuthorizePayment does. */
export function authorize(
  payment: Payment | undefined,
  command: AuthorizeCommand,
  context: OperationContext,
): Decision {
  if (payment === undefined) {
    const operation = operationOf("AUTHORIZE", authorizationKey(command.orderId), command.amount, context);
    return { kind: "EVENT", event: { ...command, kind: "AUTHORIZATION_STARTED", operation } };
  }
  const tombstone = payment.userId === undefined;
  if (!tombstone && differs(payment, command)) throw new CallError(errors.PAYMENT_MISMATCH);
  if (payment.operation !== undefined) return finish;
  if (payment.status === "VOIDED") throw new CallError(errors.PAYMENT_VOIDED);
  if (payment.status === "DECLINED") throw declined(payment);
  if (payment.status === "PENDING") throw new CallError(errors.VOID_REFUSED);
  return nothing;
}

/** Decides what CapturePayment does. `refusedWith` is the provider's code where this attempt was refused before. */
export function capture(
  payment: Payment | undefined,
  attempt: { readonly key: string; readonly refusedWith: string | undefined },
  context: OperationContext,
): Decision {
  if (payment === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
  if (payment.operation !== undefined) return finish;
  switch (payment.status) {
    case "AUTHORIZED":
      if (attempt.refusedWith !== undefined) throw refusalOf("CAPTURE", attempt.refusedWith);
      return {
        kind: "EVENT",
        event: { kind: "CAPTURE_STARTED", operation: operationOf("CAPTURE", attempt.key, payment.amount, context) },
      };
    case "VOIDED":
      throw new CallError(errors.PAYMENT_VOIDED);
    case "DECLINED":
      throw declined(payment);
    case "CAPTURED":
    case "REFUNDED":
      return nothing;
    case "PENDING":
      throw new CallError(errors.VOID_REFUSED);
  }
}

/** Decides what VoidPayment does. `orderId` names the order of a payment that does not exist yet. */
export function voidPayment(payment: Payment | undefined, orderId: string, context: OperationContext): Decision {
  if (payment === undefined) return { kind: "EVENT", event: { kind: "VOIDED", orderId, key: "", reference: "" } };
  const start = (): Decision => ({
    kind: "EVENT",
    event: { kind: "VOID_STARTED", operation: followUp("VOID", payment, payment.amount, context) },
  });
  if (payment.operation?.kind === "AUTHORIZE") return start();
  if (payment.operation !== undefined) return finish;
  switch (payment.status) {
    case "AUTHORIZED":
    // Its void was refused before: the provider is asked again.
    case "PENDING":
      return start();
    case "VOIDED":
    case "DECLINED":
    case "REFUNDED":
      return nothing;
    case "CAPTURED":
      throw new CallError(errors.PAYMENT_CAPTURED);
  }
}

/** Decides what RefundPayment does. Without an amount it is all that is left. */
export function refund(
  payment: Payment,
  amount: { readonly minorUnits: bigint; readonly currency: string } | undefined,
  context: OperationContext,
): Decision {
  if (payment.operation !== undefined) return finish;
  if (payment.status !== "CAPTURED" && payment.status !== "REFUNDED") throw new CallError(errors.PAYMENT_NOT_CAPTURED);
  if (amount !== undefined && amount.currency !== payment.currency) throw new CallError(errors.PAYMENT_MISMATCH);
  const left = payment.captured - payment.refunded;
  const asked = amount?.minorUnits ?? left;
  if (asked > left || asked <= 0n) throw new CallError(errors.REFUND_TOO_LARGE);
  return { kind: "EVENT", event: { kind: "REFUND_STARTED", operation: followUp("REFUND", payment, asked, context) } };
}

/** Decides what ResolvePaymentAttention does. */
export function resolveAttention(payment: Payment): Decision {
  return payment.attention === undefined ? nothing : { kind: "EVENT", event: { kind: "ATTENTION_RESOLVED" } };
}

/**
 * The event that the provider's answer to the operation in flight becomes. `callerWaits`: the caller who asked for the
 * operation gets the answer.
 */
export function settle(
  payment: Payment,
  operation: Operation,
  answer: ProviderAnswer,
  { callerWaits }: { readonly callerWaits: boolean },
): PaymentEvent {
  const { key } = operation;
  if (answer.kind === "DECLINED") {
    const { code } = answer;
    if (operation.kind === "REFUND" && !callerWaits) return { kind: "REFUND_REFUSED", key, code, untold: true };
    return { kind: refusedKinds[operation.kind], key, code };
  }
  const { reference } = answer;
  if (operation.kind === "VOID") return { kind: "VOIDED", orderId: payment.orderId, key, reference };
  return { kind: approvedKinds[operation.kind], key, reference };
}

const approvedKinds = { AUTHORIZE: "AUTHORIZED", CAPTURE: "CAPTURED", REFUND: "REFUNDED" } as const;
const refusedKinds = {
  AUTHORIZE: "DECLINED",
  CAPTURE: "CAPTURE_REFUSED",
  VOID: "VOID_REFUSED",
  REFUND: "REFUND_REFUSED",
} as const;

/** The caller's error where the provider declined their operation on a payment in `status`. */
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

function followUp(kind: "VOID" | "REFUND", payment: Payment, amount: bigint, context: OperationContext): Operation {
  return operationOf(kind, `${payment.orderId}:${kind.toLowerCase()}:${context.operationId}`, amount, context);
}

function operationOf(kind: OperationKind, key: string, amount: bigint, context: OperationContext): Operation {
  const { actor, reason, traceparent } = context;
  return { kind, key, amount, actor, reason, traceparent };
}
