import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { AuthService, UserEventSchema, UserService } from "@rialto/contracts";
import type { Handler } from "@rialto/events";
import { type Client, reasonOf, workOrigin } from "@rialto/rpc";
import type { Delivery } from "./delivery.ts";
import { MailRefused } from "./mail-failure.ts";
import { type Content, type Notification, newNotification, notificationIdOf } from "./notification.ts";
import type { NotificationStore } from "./store.ts";
import { passwordResetMail, unlinked } from "./wording.ts";

interface Parts {
  readonly calls: { readonly users: Client<typeof UserService> };
  readonly notifications: NotificationStore;
  readonly delivery: Delivery;
  readonly config: { readonly mailFrom: string };
  now(): Date;
}

/** The subscription "reset-mail": a message for each new password that was asked for. It is written down without its link. */
export function resetMailHandler(app: Parts): Handler<typeof UserEventSchema> {
  return {
    async withEffect({ id: eventId, traceparent, payload }, inbox, signal) {
      const known = await app.notifications.byId(notificationIdOf(eventId));
      if (known !== undefined) return app.delivery.resume(known, { inbox, signal });
      const { user } = await app.calls.users.getUser({ id: payload.userId }, workOrigin({ traceparent, signal }));
      if (user === undefined) throw new Error("the user service answered without the user");
      const mail = newNotification({
        eventId,
        userId: payload.userId,
        orderId: undefined,
        resetId: payload.resetId,
        kind: "PASSWORD_RESET",
        recipient: { name: "", address: user.email },
        content: passwordResetMail(unlinked),
        sender: app.config.mailFrom,
        createTime: app.now(),
      });
      await app.delivery.deliver(mail, { inbox, signal });
    },
  };
}

/**
 * Makes a mail that sets a new password at the moment it is sent: the user service makes the token then, and keeps its hash; this service keeps
 * nothing. So a mail that is sent once more has a new link, and the older one is good for nothing. The mail is made of its parts, and nothing
 * is filled into text that was stored. Other mails are complete as they are.
 */
export function completeMail(app: {
  readonly calls: { readonly auth: Pick<Client<typeof AuthService>, "createPasswordResetToken"> };
  readonly config: { readonly publicUrl: string };
}): (notification: Notification, signal: AbortSignal) => Promise<Content> {
  return async ({ content, resetId }, signal) => {
    if (resetId === undefined) return content;
    const { token, expireTime } = await app.calls.auth
      .createPasswordResetToken({ resetId }, workOrigin({ signal }))
      .catch((error: unknown) => {
        if (reasonOf(error) === "RESET_TOKEN_INVALID") throw new MailRefused("the reset was used, or has ended");
        throw error;
      });
    // Behind a #, which no server and no log of one gets to see.
    const link = `${app.config.publicUrl}/reset-password#${token}`;
    const until = expireTime === undefined ? "" : `${timestampDate(expireTime).toISOString().slice(11, 16)} UTC`;
    return passwordResetMail({ link, until });
  };
}
