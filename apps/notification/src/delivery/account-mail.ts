import {
  type AuthService,
  type UserEvent,
  UserEvent_Kind,
  type UserEventSchema,
  type UserService,
} from "@rialto/contracts";
import type { Handler } from "@rialto/events";
import { backgroundContext, type Client, type PropagatedContext, reasonOf } from "@rialto/rpc";
import { type Content, type NotificationKind, newNotification, notificationIdOf } from "../notification/state.ts";
import type { NotificationStore } from "../notification/store.ts";
import {
  confirmationMail,
  emailChangedMail,
  linkPlaceholder,
  passwordChangedMail,
  passwordResetMail,
  welcomeMail,
} from "../templates/account-mail.ts";
import type { Delivery } from "./delivery.ts";

interface Parts {
  readonly calls: {
    readonly users: Pick<Client<typeof UserService>, "getUser">;
    readonly auth: Pick<Client<typeof AuthService>, "getEmailConfirmation">;
  };
  readonly notifications: NotificationStore;
  readonly delivery: Delivery;
  readonly config: { readonly mailFrom: string };
  now(): Date;
}

/** One mail about an account, before it is queued. */
interface AccountMail {
  readonly kind: NotificationKind;
  readonly address: string;
  readonly content: Content;
  readonly resetId?: string;
  readonly confirmationId?: string;
}

/**
 * The topics of the subscription "account-mail". "welcome-mail" and "reset-mail" are older and keep their own
 * subscriptions.
 */
export const accountMailTopics = [
  "user.email_confirmation_requested",
  "user.email_changed",
  "user.password_changed",
] as const;

/**
 * Sends the mail for an account event. Account mails contain no text that a person entered, not even a name: anyone can
 * sign up with a stranger's address, or change their address to it. The stored copy has no link.
 */
export function accountMailHandler(app: Parts): Handler<typeof UserEventSchema> {
  return {
    async handle({ id: eventId, traceparent, payload }, inbox, signal) {
      const known = await app.notifications.byId(notificationIdOf(eventId));
      if (known !== undefined) return app.delivery.resume(known, { inbox, signal });
      const mail = await mailFor(app, payload, backgroundContext({ traceparent, signal }));
      if (mail === undefined) return undefined;
      const { address, ...rest } = mail;
      const notification = newNotification({
        eventId,
        userId: payload.userId,
        orderId: undefined,
        ...rest,
        recipient: { name: "", address },
        sender: app.config.mailFrom,
        createTime: app.now(),
      });
      return app.delivery.deliver(notification, { inbox, signal });
    },
  };
}

async function mailFor(app: Parts, event: UserEvent, context: PropagatedContext): Promise<AccountMail | undefined> {
  const { kind, userId, resetId, confirmationId } = event;
  switch (kind) {
    case UserEvent_Kind.CREATED: {
      const address = await addressOf(app, userId, context);
      const welcome = { kind: "WELCOME", address, content: welcomeMail(undefined) } as const;
      return confirmationId === "" ? welcome : { ...welcome, confirmationId };
    }
    case UserEvent_Kind.PASSWORD_RESET_REQUESTED: {
      const address = await addressOf(app, userId, context);
      return { kind: "PASSWORD_RESET", address, content: passwordResetMail(linkPlaceholder), resetId };
    }
    case UserEvent_Kind.PASSWORD_CHANGED:
      return {
        kind: "PASSWORD_CHANGED",
        address: await addressOf(app, userId, context),
        content: passwordChangedMail(),
      };
    case UserEvent_Kind.EMAIL_CONFIRMATION_REQUESTED: {
      const confirmation = await confirmationOf(app, confirmationId, context);
      if (confirmation === undefined) return undefined;
      const content = confirmationMail(linkPlaceholder);
      return { kind: "EMAIL_CONFIRMATION", address: confirmation.email, content, confirmationId };
    }
    case UserEvent_Kind.EMAIL_CHANGED: {
      const confirmation = await confirmationOf(app, confirmationId, context);
      if (confirmation === undefined || confirmation.previousEmail === "") return undefined;
      const content = emailChangedMail();
      return { kind: "EMAIL_CHANGED", address: confirmation.previousEmail, content, confirmationId };
    }
    case UserEvent_Kind.KIND_UNSPECIFIED:
    case UserEvent_Kind.UPDATED:
    case UserEvent_Kind.DISABLED:
    case UserEvent_Kind.ENABLED:
      return undefined;
  }
}

async function addressOf(app: Parts, userId: string, context: PropagatedContext): Promise<string> {
  const { user } = await app.calls.users.getUser({ id: userId }, context);
  if (user === undefined) throw new Error("the user service answered without the user");
  return user.email;
}

/** Returns undefined if the confirmation has ended because the account changed its address again. */
async function confirmationOf(app: Parts, confirmationId: string, context: PropagatedContext) {
  try {
    return await app.calls.auth.getEmailConfirmation({ confirmationId }, context);
  } catch (error) {
    if (reasonOf(error) === "CONFIRMATION_TOKEN_INVALID") return undefined;
    throw error;
  }
}
