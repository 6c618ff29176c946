import { illegal, type Operation, type Payment, type PaymentEvent, type PaymentStatus } from "./state.ts";

/** What an event log says beside the event itself. */
interface Entry {
  readonly id: string;
  readonly time: Date;
}

/** Folds one event into the payment. A pair of state and event that cannot be throws. */
export function apply(payment: Payment | undefined, event: PaymentEvent, entry: Entry): Payment {
  if (payment === undefined) return create(event, entry);
  const moved = { ...payment, version: payment.version + 1, updateTime: entry.time };
  switch (event.type) {
    case "AUTHORIZATION_STARTED":
      throw illegal(payment, event.type);
    case "CAPTURE_STARTED":
      return { ...moved, operation: started(payment, event.operation, "CAPTURE", ["AUTHORIZED"]) };
    case "REFUND_STARTED":
      // A person who tries again has looked.
      return { ...moved, attention: undefined, operation: started(payment, event.operation, "REFUND", ["CAPTURED"]) };
    case "VOID_STARTED":
      if (payment.operation?.kind === "AUTHORIZE") return { ...moved, operation: event.operation };
      return { ...moved, operation: started(payment, event.operation, "VOID", ["AUTHORIZED", "PENDING"]) };
    case "ATTENTION_RESOLVED":
      return { ...moved, attention: undefined };
  }
  const operation = payment.operation;
  if (operation === undefined || operation.key !== event.key) throw illegal(payment, `${event.type} of ${event.key}`);
  const settled = { ...moved, operation: undefined };
  switch (event.type) {
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
        ...(event.untold && { attention: { reason: event.type, detail: event.code, since: entry.time } }),
      };
  }
}

function create(event: PaymentEvent, { id, time }: Entry): Payment {
  const base = {
    id,
    version: 1,
    captured: 0n,
    refunded: 0n,
    declineCode: undefined,
    attention: undefined,
    createTime: time,
    updateTime: time,
  };
  if (event.type === "AUTHORIZATION_STARTED") {
    const { orderId, userId, amount, currency, paymentMethod, operation } = event;
    return { ...base, status: "PENDING", orderId, userId, amount, currency, paymentMethod, operation };
  }
  if (event.type !== "VOIDED") throw illegal(undefined, event.type);
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
