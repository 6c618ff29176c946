import { type Money, type Order, Order_RejectionReason, type OrderEvent } from "@rialto/contracts";
import type { Content, OrderNotificationKind } from "../notification/state.ts";
import { priceOf } from "./price.ts";
import { type Letter, write } from "./template.ts";

/**
 * The mail about what happened to an order: its goods are read from the order, what happened from the event. Without a name it is for an address that
 * nobody has confirmed, which may be a stranger's: it holds nothing that the customer wrote then, neither a name nor where the goods go.
 */
export function orderMail(
  kind: OrderNotificationKind,
  o: { readonly name: string | undefined; readonly order: Order; readonly event: OrderEvent },
): Content {
  const { name, order, event } = o;
  const number = orderNumber(order.id);
  const { subject, paragraphs, withAddress } = letters[kind](number, event);
  const address = withAddress && name !== undefined ? addressOf(order) : undefined;
  return write({
    subject,
    greeting: name === undefined ? "Hello," : `Hello ${name},`,
    paragraphs,
    bill: {
      lines: order.items.map(({ name, quantity, unitPrice, total }) => ({
        name,
        quantity,
        unitPrice: money(unitPrice),
        total: money(total),
      })),
      total: money(order.total),
    },
    ...(address === undefined ? {} : { address }),
    footer: `Order ${order.id}. You receive this message because you placed it.`,
  });
}

/** What people call an order by: the end of its id, which is the random part. */
function orderNumber(id: string): string {
  return id.slice(-8).toUpperCase();
}

interface Wording {
  readonly subject: string;
  readonly paragraphs: Letter["paragraphs"];
  readonly withAddress: boolean;
}

const letters: Readonly<Record<OrderNotificationKind, (number: string, event: OrderEvent) => Wording>> = {
  ORDER_CONFIRMED: (number) => ({
    subject: `Your order ${number} is confirmed`,
    paragraphs: [
      `thank you for your order ${number}. Everything is in stock and set aside for you.`,
      "The amount is reserved on your card. It is taken when the order leaves our house.",
    ],
    withAddress: true,
  }),
  ORDER_REJECTED: (number, event) => ({
    subject: `We could not accept your order ${number}`,
    paragraphs: [`we are sorry: your order ${number} could not be accepted.`, ...rejectionOf(event)],
    withAddress: false,
  }),
  ORDER_CANCELLED: (number, event) => ({
    subject: `Your order ${number} is cancelled`,
    paragraphs: [`your order ${number} is cancelled.`, givenBackOf(event)],
    withAddress: false,
  }),
  ORDER_SHIPPED: (number, event) => ({
    subject: `Your order ${number} is on its way`,
    paragraphs: [
      `your order ${number} has left our house.`,
      `We have taken ${money(event.captured ?? event.total)} from your card.`,
    ],
    withAddress: true,
  }),
  ORDER_DELIVERED: (number) => ({
    subject: `Your order ${number} has arrived`,
    paragraphs: [
      `your order ${number} has been delivered. We hope you enjoy it.`,
      "If something is not as it should be, reply to this message.",
    ],
    withAddress: false,
  }),
};

/** What became of the money of a cancelled order. It was taken where the shipping had begun and a person refunded it. */
function givenBackOf({ captured, refunded }: OrderEvent): string {
  const [taken, back] = [captured?.minorUnits ?? 0n, refunded?.minorUnits ?? 0n];
  if (taken === 0n) return "No money was taken. What was reserved on your card has been let go.";
  if (back < taken)
    return `We have given back ${money(refunded)} so far of the ${money(captured)} that we had taken from your card.`;
  return `We have given back the ${money(captured)} that we had taken from your card.`;
}

function rejectionOf(event: OrderEvent): readonly string[] {
  switch (event.rejectionReason) {
    case Order_RejectionReason.OUT_OF_STOCK:
      return ["We have less in stock than you ordered. Nothing was taken from your card."];
    case Order_RejectionReason.QUANTITY_LIMIT:
      return [
        "Together with your orders that are not shipped yet it is more of one product than an account may order. Nothing was taken from your card.",
      ];
    case Order_RejectionReason.PAYMENT_DECLINED:
      return ["Your card was refused, so nothing was taken from it. You are welcome to try again with another card."];
    case Order_RejectionReason.REJECTION_REASON_UNSPECIFIED:
    case undefined:
      return ["Nothing was taken from your card."];
  }
}

function addressOf({ shippingAddress }: Order): readonly string[] | undefined {
  if (shippingAddress === undefined) return undefined;
  const { name, lines, postalCode, city, countryCode } = shippingAddress;
  return [name, ...lines, [postalCode, city].filter((part) => part !== "").join(" "), countryCode];
}

function money(amount: Money | undefined): string {
  return amount === undefined ? "" : priceOf(amount);
}
