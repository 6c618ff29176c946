import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Money,
  MoneySchema,
  Payment_Attention_Reason,
  Payment_Status,
  PaymentEvent_Kind,
  PaymentEventSchema,
  type Payment as PaymentMessage,
  PaymentSchema,
} from "@rialto/contracts";
import type { PaymentEvent } from "./events.ts";
import type { Payment } from "./state.ts";

/** The payment as the contract shows it. */
export function paymentMessage(payment: Payment): PaymentMessage {
  return create(PaymentSchema, {
    id: payment.id,
    orderId: payment.orderId,
    userId: payment.userId ?? "",
    status: Payment_Status[payment.status],
    ...moneyOf(payment),
    declineCode: payment.declineCode ?? "",
    ...(payment.attention && {
      attention: {
        reason: Payment_Attention_Reason[payment.attention.reason],
        detail: payment.attention.detail,
        since: timestampFromDate(payment.attention.since),
      },
    }),
    createTime: timestampFromDate(payment.createTime),
    updateTime: timestampFromDate(payment.updateTime),
  });
}

/** What is published of an event. `payment` is the payment after it. */
export function paymentEventMessage(payment: Payment, { kind }: PaymentEvent) {
  const message = create(PaymentEventSchema, {
    paymentId: payment.id,
    orderId: payment.orderId,
    version: payment.version,
    kind: PaymentEvent_Kind[kind],
    ...moneyOf(payment),
  });
  return { topic: topicOf(kind), payload: toJson(PaymentEventSchema, message) };
}

/** The topic of an event, as the contract names it: "payment.capture_started". */
function topicOf(kind: PaymentEvent["kind"]): string {
  return `payment.${kind.toLowerCase()}`;
}

/** The three amounts; none for a tombstone, which has no currency. */
function moneyOf(payment: Payment): { amount?: Money; captured?: Money; refunded?: Money } {
  const { currency } = payment;
  if (currency === undefined) return {};
  const money = (minorUnits: bigint) => create(MoneySchema, { currencyCode: currency, minorUnits });
  return { amount: money(payment.amount), captured: money(payment.captured), refunded: money(payment.refunded) };
}
