import type { OrderEventSchema, OrderService, UserService } from "@rialto/contracts";
import type { Handler } from "@rialto/events";
import { backgroundContext, type Client } from "@rialto/rpc";
import { newNotification, notificationIdOf, orderNotificationKind } from "../notification/state.ts";
import type { NotificationStore } from "../notification/store.ts";
import { orderMail } from "../templates/order-mail.ts";
import type { Delivery } from "./delivery.ts";

interface Parts {
  readonly calls: { readonly users: Client<typeof UserService>; readonly orders: Client<typeof OrderService> };
  readonly notifications: NotificationStore;
  readonly delivery: Delivery;
  readonly config: { readonly mailFrom: string };
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
 * personal data, so the name and the address are read from the user service, and the items from the order service.
 */
export function orderMailHandler(app: Parts): Handler<typeof OrderEventSchema> {
  return {
    async handle(event, inbox, signal) {
      const { payload } = event;
      const kind = orderNotificationKind(payload.kind);
      if (kind === undefined) return undefined;
      const known = await app.notifications.byId(notificationIdOf(event.id));
      if (known !== undefined) return app.delivery.resume(known, { inbox, signal });
      const context = backgroundContext({ traceparent: event.traceparent, signal });
      const [{ user }, { order }] = await Promise.all([
        app.calls.users.getUser({ id: payload.userId }, context),
        app.calls.orders.getOrder({ id: payload.orderId }, context),
      ]);
      if (user === undefined || order === undefined)
        throw new Error("an answer of another service lacks what it is about");
      const name = user.emailConfirmTime === undefined ? undefined : user.name;
      const mail = newNotification({
        eventId: event.id,
        userId: payload.userId,
        orderId: payload.orderId,
        kind,
        recipient: { name: name ?? "", address: user.email },
        content: orderMail(kind, { name, order, event: payload }),
        sender: app.config.mailFrom,
        createTime: app.now(),
      });
      return app.delivery.deliver(mail, { inbox, signal });
    },
  };
}
