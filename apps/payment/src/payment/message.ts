import { create, type JsonValue, toJson } from "@bufbuild/protobuf";
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
import type { Payment, PaymentEvent } from "./state.ts";

/** The payment as callers see it. */
export function messageOf(payment: Payment): PaymentMessage {
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

/** The event as subscribers see it: its topic, and its message in proto3 JSON. `payment` is the one after the event. */
export function publishedOf(
  payment: Payment,
  event: PaymentEvent,
): { readonly topic: string; readonly payload: JsonValue } {
  const message = create(PaymentEventSchema, {
    paymentId: payment.id,
    orderId: payment.orderId,
    version: payment.version,
    kind: PaymentEvent_Kind[event.type],
    ...moneyOf(payment),
  });
  return { topic: `payment.${event.type.toLowerCase()}`, payload: toJson(PaymentEventSchema, message) };
}

/** The three amounts; none for a tombstone, which has no currency. */
function moneyOf(payment: Payment): { amount?: Money; captured?: Money; refunded?: Money } {
  const { currency } = payment;
  if (currency === undefined) return {};
  const money = (minorUnits: bigint) => create(MoneySchema, { currencyCode: currency, minorUnits });
  return { amount: money(payment.amount), captured: money(payment.captured), refunded: money(payment.refunded) };
}
