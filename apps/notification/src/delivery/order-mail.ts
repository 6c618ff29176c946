import type { CancelSignal } from "@rialto/async";
import type { OrderEvent, OrderEventSchema, OrderService, UserService } from "@rialto/contracts";
import type { Event, Handler } from "@rialto/events";
import { backgroundContext, type Client } from "@rialto/rpc";
import {
  type Notification,
  newNotification,
  notificationIdOf,
  type OrderNotificationKind,
  orderNotificationKind,
} from "../notification/state.ts";
import type { NotificationStore } from "../notification/store.ts";
import { orderMail } from "../templates/order-mail.ts";
import type { PriceFormat } from "../templates/price.ts";
import type { Delivery } from "./delivery.ts";

interface Parts {
  readonly calls: { readonly users: Client<typeof UserService>; readonly orders: Client<typeof OrderService> };
  readonly notifications: NotificationStore;
  readonly delivery: Delivery;
  readonly config: { readonly mailFrom: string };
  readonly priceOf: PriceFormat;
  now(): Date;
}

/** The topics of the events that become a mail: all others would cost a job each. */
export const orderMailTopics: readonly string[] = [
  "order.confirmed",
  "order.rejected",
  "order.cancelled",
  "order.shipped",
  "order.delivered",
];

/**
 * The subscription "order-mail": sends a mail for each order event that the customer should know about. Events carry no
 * personal data, so the name and the address are read from the user service, and the items from the order service. That
 * the event has a message already is told by the statement that would store it.
 */
export function orderMailHandler(app: Parts): Handler<typeof OrderEventSchema> {
  return {
    async handle(event, inbox, signal) {
      const kind = orderNotificationKind(event.payload.kind);
      if (kind === undefined) return undefined;
      let mail: Notification;
      try {
        mail = await mailFor(app, kind, event, signal);
      } catch (error) {
        // An earlier delivery of the event may have stored the message, which then needs nobody else to be sent.
        const known = await app.notifications.byId(notificationIdOf(event.id));
        if (known === undefined) throw error;
        return app.delivery.resume(known, { inbox, signal });
      }
      return app.delivery.deliver(mail, { inbox, signal });
    },
  };
}

async function mailFor(
  { calls, config, now, priceOf }: Parts,
  kind: OrderNotificationKind,
  { id: eventId, traceparent, payload }: Event<OrderEvent>,
  signal: CancelSignal,
): Promise<Notification> {
  const { userId, orderId } = payload;
  const context = backgroundContext({ traceparent, signal });
  const [{ user }, { order }] = await Promise.all([
    calls.users.getUser({ id: userId }, context),
    calls.orders.getOrder({ id: orderId }, context),
  ]);
  if (user === undefined || order === undefined) throw new Error("an answer of another service lacks what it is about");
  const name = user.emailConfirmTime === undefined ? undefined : user.name;
  return newNotification({
    eventId,
    userId,
    orderId,
    kind,
    recipient: { name: name ?? "", address: user.email },
    content: orderMail(kind, { name, order, event: payload, priceOf }),
    sender: config.mailFrom,
    createTime: now(),
  });
}
