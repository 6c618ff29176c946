import { type Money, type Order, Order_RejectionReason, type OrderEvent } from "@rialto/contracts";
import type { Content, OrderNotificationKind } from "../notification/state.ts";
import type { PriceFormat } from "./price.ts";
import { type EmailTemplate, render } from "./template.ts";

/**
 * Renders the mail about an order event. The items are read from the order. Without a name, the address is unconfirmed
 * and may be a stranger's: the mail then contains no text that the customer entered, neither a name nor the shipping
 * address.
 */
export function orderMail(
  kind: OrderNotificationKind,
  o: {
    readonly name: string | undefined;
    readonly order: Order;
    readonly event: OrderEvent;
    readonly priceOf: PriceFormat;
  },
): Content {
  const { name, order, event } = o;
  const money: MoneyText = (amount) => (amount === undefined ? "" : o.priceOf(amount));
  const number = orderNumber(order.id);
  const { subject, paragraphs, withAddress } = orderCopy[kind](number, event, money);
  const address = withAddress && name !== undefined ? addressOf(order) : undefined;
  return render({
    subject,
    greeting: name === undefined ? "Hello," : `Hello ${name},`,
    paragraphs,
    summary: {
      lines: order.items.map(({ name, quantity, unitPrice, total }) => ({
        name,
        quantity,
        unitPrice: money(unitPrice),
        total: money(total),
      })),
      total: money(order.total),
    },
    ...(address === undefined ? {} : { address }),
    footer: `Order ${order.id}. You are receiving this message because you placed this order.`,
  });
}

/** The order number that people use: the end of the id, which is its random part. */
function orderNumber(id: string): string {
  return id.slice(-8).toUpperCase();
}

interface Copy {
  readonly subject: string;
  readonly paragraphs: EmailTemplate["paragraphs"];
  readonly withAddress: boolean;
}

/** An amount as text; empty where there is none. */
type MoneyText = (amount: Money | undefined) => string;

type CopyOf = (number: string, event: OrderEvent, money: MoneyText) => Copy;

const orderCopy: Readonly<Record<OrderNotificationKind, CopyOf>> = {
  ORDER_CONFIRMED: (number) => ({
    subject: `Your order ${number} is confirmed`,
    paragraphs: [
      `Thank you for your order ${number}. All items are in stock and reserved for you.`,
      "The amount is authorized on your card. We charge it when your order ships.",
    ],
    withAddress: true,
  }),
  ORDER_REJECTED: (number, event) => ({
    subject: `We could not accept your order ${number}`,
    paragraphs: [`We are sorry: we could not accept your order ${number}.`, rejectionCopy(event)],
    withAddress: false,
  }),
  ORDER_CANCELLED: (number, event, money) => ({
    subject: `Your order ${number} was canceled`,
    paragraphs: [`Your order ${number} was canceled.`, refundCopy(event, money)],
    withAddress: false,
  }),
  ORDER_SHIPPED: (number, event, money) => ({
    subject: `Your order ${number} has shipped`,
    paragraphs: [
      `Your order ${number} has shipped.`,
      `We charged ${money(event.captured ?? event.total)} to your card.`,
    ],
    withAddress: true,
  }),
  ORDER_DELIVERED: (number) => ({
    subject: `Your order ${number} was delivered`,
    paragraphs: [
      `Your order ${number} was delivered. We hope you enjoy it.`,
      "If anything is wrong with your order, reply to this message.",
    ],
    withAddress: false,
  }),
};

/** The refund of a canceled order. Its card was charged only if shipping had begun. */
function refundCopy({ captured, refunded }: OrderEvent, money: MoneyText): string {
  const [charged, back] = [captured?.minorUnits ?? 0n, refunded?.minorUnits ?? 0n];
  if (charged === 0n) return "Your card was not charged. We released the authorized amount.";
  if (back < charged) return `We charged ${money(captured)} to your card and have refunded ${money(refunded)} so far.`;
  return `We refunded the ${money(captured)} that we charged to your card.`;
}

function rejectionCopy({ rejectionReason }: OrderEvent): string {
  switch (rejectionReason) {
    case Order_RejectionReason.OUT_OF_STOCK:
      return "We do not have enough items in stock. Your card was not charged.";
    case Order_RejectionReason.QUANTITY_LIMIT:
      return "Together with your orders that have not shipped yet, it exceeds the quantity of one product that a customer can order. Your card was not charged.";
    case Order_RejectionReason.PAYMENT_DECLINED:
      return "Your card was declined and was not charged. You are welcome to order again with another card.";
    case Order_RejectionReason.REJECTION_REASON_UNSPECIFIED:
    case undefined:
      return "Your card was not charged.";
  }
}

function addressOf({ shippingAddress }: Order): readonly string[] | undefined {
  if (shippingAddress === undefined) return undefined;
  const { name, lines, postalCode, city, countryCode } = shippingAddress;
  return [name, ...lines, [postalCode, city].filter((part) => part !== "").join(" "), countryCode];
}
