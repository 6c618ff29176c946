import type { LoggedEvent } from "@rialto/database";
import type { PaymentStatus } from "../statuses.ts";
import type { Operation, Payment } from "./state.ts";

/** What an authorization asks for. */
export interface AuthorizeCommand {
  readonly orderId: string;
  readonly userId: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
}

/** What can happen to a payment. The kinds are those of the published event, and the types in the log. */
export type PaymentEvent =
  | (AuthorizeCommand & { readonly kind: "AUTHORIZATION_STARTED"; readonly operation: Operation })
  | { readonly kind: "AUTHORIZED"; readonly key: string; readonly reference: string }
  | { readonly kind: "DECLINED"; readonly key: string; readonly code: string }
  | { readonly kind: "CAPTURE_STARTED" | "VOID_STARTED" | "REFUND_STARTED"; readonly operation: Operation }
  | { readonly kind: "CAPTURED" | "REFUNDED"; readonly key: string; readonly reference: string }
  | { readonly kind: "CAPTURE_REFUSED" | "VOID_REFUSED"; readonly key: string; readonly code: string }
  /** `untold`, as it is stored: no caller waited for the answer, so a person must look. */
  | { readonly kind: "REFUND_REFUSED"; readonly key: string; readonly code: string; readonly untold?: true }
  | { readonly kind: "ATTENTION_RESOLVED" }
  /** With an empty key it is the tombstone: there was nothing to void. */
  | { readonly kind: "VOIDED"; readonly orderId: string; readonly key: string; readonly reference: string };

/** An event in a payment's log. */
export type LoggedPaymentEvent = LoggedEvent<PaymentEvent>;

/** Folds one more event of its log into the payment. Throws where the event cannot follow: such a log is broken. */
export function apply(payment: Payment | undefined, logged: LoggedPaymentEvent): Payment {
  const { event, version, time } = logged;
  if (version !== (payment?.version ?? 0) + 1) throw illegal(payment, `version ${version}`);
  if (payment === undefined) return create(event, logged);
  const moved = { ...payment, version, updateTime: time };
  switch (event.kind) {
    case "AUTHORIZATION_STARTED":
      throw illegal(payment, event.kind);
    case "CAPTURE_STARTED":
      return { ...moved, operation: started(payment, event.operation, "CAPTURE", ["AUTHORIZED"]) };
    case "REFUND_STARTED":
      // A person who tries again has seen it.
      return { ...moved, attention: undefined, operation: started(payment, event.operation, "REFUND", ["CAPTURED"]) };
    case "VOID_STARTED":
      if (payment.operation?.kind === "AUTHORIZE") return { ...moved, operation: event.operation };
      return { ...moved, operation: started(payment, event.operation, "VOID", ["AUTHORIZED", "PENDING"]) };
    case "ATTENTION_RESOLVED":
      return { ...moved, attention: undefined };
  }
  const operation = payment.operation;
  if (operation === undefined || operation.key !== event.key) throw illegal(payment, `${event.kind} of ${event.key}`);
  const settled = { ...moved, operation: undefined };
  switch (event.kind) {
    case "AUTHORIZED":
      return { ...settled, status: after(payment, operation, "AUTHORIZE", "AUTHORIZED") };
    case "DECLINED":
      return { ...settled, status: after(payment, operation, "AUTHORIZE", "DECLINED"), declineCode: event.code };
    case "CAPTURED":
      return { ...settled, status: after(payment, operation, "CAPTURE", "CAPTURED"), captured: operation.amount };
    case "CAPTURE_REFUSED":
      return { ...settled, status: after(payment, operation, "CAPTURE", payment.status) };
    case "VOIDED":
      return { ...settled, status: after(payment, operation, "VOID", "VOIDED") };
    case "VOID_REFUSED":
      return { ...settled, status: after(payment, operation, "VOID", payment.status) };
    case "REFUNDED": {
      const refunded = payment.refunded + operation.amount;
      const status = refunded === payment.captured ? "REFUNDED" : "CAPTURED";
      return { ...settled, status: after(payment, operation, "REFUND", status), refunded };
    }
    case "REFUND_REFUSED":
      return {
        ...settled,
        status: after(payment, operation, "REFUND", payment.status),
        ...(event.untold && { attention: { reason: event.kind, detail: event.code, since: time } }),
      };
  }
}

/** Folds a payment's whole log, oldest event first; undefined for an empty one. */
export function fold(log: Iterable<LoggedPaymentEvent>): Payment | undefined {
  let payment: Payment | undefined;
  for (const logged of log) payment = apply(payment, logged);
  return payment;
}

/** Whether this version knows an event of that kind. */
export function isEventKind(kind: string): kind is PaymentEvent["kind"] {
  return Object.hasOwn(eventKinds, kind);
}

const eventKinds: Readonly<Record<PaymentEvent["kind"], true>> = {
  AUTHORIZATION_STARTED: true,
  AUTHORIZED: true,
  DECLINED: true,
  CAPTURE_STARTED: true,
  CAPTURED: true,
  CAPTURE_REFUSED: true,
  VOID_STARTED: true,
  VOIDED: true,
  VOID_REFUSED: true,
  REFUND_STARTED: true,
  REFUNDED: true,
  REFUND_REFUSED: true,
  ATTENTION_RESOLVED: true,
};

function create(event: PaymentEvent, { subjectId, time }: LoggedPaymentEvent): Payment {
  const base = {
    id: subjectId,
    version: 1,
    captured: 0n,
    refunded: 0n,
    declineCode: undefined,
    attention: undefined,
    createTime: time,
    updateTime: time,
  };
  if (event.kind === "AUTHORIZATION_STARTED") {
    const { orderId, userId, amount, currency, paymentMethod, operation } = event;
    return { ...base, status: "PENDING", orderId, userId, amount, currency, paymentMethod, operation };
  }
  if (event.kind !== "VOIDED") throw illegal(undefined, event.kind);
  const unknown = {
    userId: undefined,
    amount: 0n,
    currency: undefined,
    paymentMethod: undefined,
    operation: undefined,
  };
  return { ...base, ...unknown, status: "VOIDED", orderId: event.orderId };
}

function started(
  payment: Payment,
  operation: Operation,
  kind: Operation["kind"],
  from: readonly PaymentStatus[],
): Operation {
  if (payment.operation !== undefined || operation.kind !== kind || !from.includes(payment.status))
    throw illegal(payment, `${kind} started`);
  return operation;
}

function after(payment: Payment, operation: Operation, kind: Operation["kind"], status: PaymentStatus): PaymentStatus {
  if (operation.kind !== kind) throw illegal(payment, `the result of ${kind}`);
  return status;
}

/** The error of a state that no sequence of events leads to: a defect. */
export function illegal(payment: Payment | undefined, what: string): Error {
  return new Error(`payment ${payment?.id ?? "(none)"} is ${payment?.status ?? "not there"}: ${what} is illegal`);
}
