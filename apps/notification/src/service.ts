import {
  AuthService,
  NotificationService,
  OrderEventSchema,
  OrderService,
  UserEventSchema,
  UserService,
} from "@rialto/contracts";
import { subscribe } from "@rialto/events";
import { serve } from "@rialto/rpc";
import { defineService, every, topicsOf } from "@rialto/service";
import { mailFolder, notificationVariables } from "./config.ts";
import { accountMailHandler, accountMailTopics } from "./delivery/account-mail.ts";
import { completeMail } from "./delivery/complete-mail.ts";
import { createDelivery } from "./delivery/delivery.ts";
import { orderMailHandler, orderMailTopics } from "./delivery/order-mail.ts";
import { forgetMailText } from "./notification/retention.ts";
import { createNotificationStore } from "./notification/store.ts";
import { notifications } from "./requests/notifications.ts";
import { createPriceFormat } from "./templates/price.ts";
import { createFolderTransport } from "./transport/folder.ts";
import { createSmtpTransport } from "./transport/smtp.ts";
import type { MailTransport } from "./transport/transport.ts";

/** The notification service: messages to people about their orders and accounts. */
export const notification = defineService({
  name: "notification",
  migrations: new URL("../migrations", import.meta.url),
  rights: { audit_entry: "append-only" },
  config: notificationVariables,
  calls: { users: UserService, auth: AuthService, orders: OrderService },
  setup: ({ calls, database, config, log, now }) => {
    const store = createNotificationStore(database);
    const transport = createTransport(config);
    return {
      notifications: store,
      transport,
      priceOf: createPriceFormat(),
      delivery: createDelivery({ store, transport, complete: completeMail({ calls, config }), now, log }),
    };
  },
  rpc: (app) => [serve(NotificationService, notifications(app))],
  subscriptions: (app) => [
    subscribe("order-mail", orderMailTopics, OrderEventSchema, orderMailHandler(app), {
      formerTopics: ["order.*"],
      ignoredTopics: topicsOf(OrderEventSchema).filter((topic) => !orderMailTopics.includes(topic)),
    }),
    subscribe("welcome-mail", "user.created", UserEventSchema, accountMailHandler(app)),
    subscribe("reset-mail", "user.password_reset_requested", UserEventSchema, accountMailHandler(app)),
    subscribe("account-mail", accountMailTopics, UserEventSchema, accountMailHandler(app)),
  ],
  schedules: (app) => [
    every("2s", "send-queued-mail", app.delivery.sweep),
    every("10m", "forget-mail-text", forgetMailText(app)),
  ],
  stop: (app) => app.transport.close(),
});

/** Sends through the mail server that SMTP_URL names, or else writes .eml files to a folder. */
function createTransport(config: {
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string;
  readonly dataDir: string;
}): MailTransport {
  const { smtpUrl, mailFrom: from } = config;
  if (smtpUrl === undefined) return createFolderTransport({ from, folder: mailFolder(config) });
  return createSmtpTransport({ from, url: smtpUrl });
}
