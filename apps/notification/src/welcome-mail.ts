import type { UserEventSchema, UserService } from "@rialto/contracts";
import type { Handler } from "@rialto/events";
import { type Client, workOrigin } from "@rialto/rpc";
import type { Delivery } from "./delivery.ts";
import { newNotification, notificationIdOf } from "./notification.ts";
import type { NotificationStore } from "./store.ts";
import { welcomeMail } from "./wording.ts";

interface Parts {
  readonly calls: { readonly users: Client<typeof UserService> };
  readonly notifications: NotificationStore;
  readonly delivery: Delivery;
  readonly config: { readonly mailFrom: string };
  now(): Date;
}

/** The subscription "welcome-mail": a message for each account that was opened. */
export function welcomeMailHandler(app: Parts): Handler<typeof UserEventSchema> {
  return {
    async withEffect({ id: eventId, traceparent, payload }, inbox, signal) {
      const known = await app.notifications.byId(notificationIdOf(eventId));
      if (known !== undefined) return app.delivery.resume(known, { inbox, signal });
      const { user } = await app.calls.users.getUser({ id: payload.userId }, workOrigin({ traceparent, signal }));
      if (user === undefined) throw new Error("the user service answered without the user");
      const welcome = newNotification({
        eventId,
        userId: payload.userId,
        orderId: undefined,
        kind: "WELCOME",
        recipient: { name: "", address: user.email },
        content: welcomeMail(),
        sender: app.config.mailFrom,
        createTime: app.now(),
      });
      await app.delivery.deliver(welcome, { inbox, signal });
    },
  };
}
