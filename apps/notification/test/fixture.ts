import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  NotificationService,
  OrderEvent_Kind,
  OrderEventSchema,
  OrderSchema,
  type User,
  UserEvent_Kind,
  UserEventSchema,
  UserSchema,
} from "@rialto/contracts";
import type { Event } from "@rialto/events";
import {
  backgroundContext,
  CallError,
  callErrors,
  createClient,
  createEndpoint,
  type PropagatedContext,
  serve,
  type UserId,
} from "@rialto/rpc";
import { quietLogger, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { accountMailHandler } from "../src/delivery/account-mail.ts";
import { completeMail } from "../src/delivery/complete-mail.ts";
import { createDelivery } from "../src/delivery/delivery.ts";
import { orderMailHandler } from "../src/delivery/order-mail.ts";
import { forgetMailText } from "../src/notification/retention.ts";
import { createNotificationStore, type NotificationStore } from "../src/notification/store.ts";
import { notifications } from "../src/requests/notifications.ts";
import { notification as service } from "../src/service.ts";
import { createPriceFormat } from "../src/templates/price.ts";
import type { MailTransport } from "../src/transport/transport.ts";

export const mailFrom = "Rialto <shop@rialto.example>";

const priceOf = createPriceFormat();

type Run = (event: Event<unknown>) => Promise<void>;

export type Fixture = Awaited<ReturnType<typeof openFixture>>;
export type Process = ReturnType<Fixture["start"]>;

/** The notification service on its own database. Stubs of the user and order services know Ada and her order. */
export async function openFixture() {
  const db = await testDatabase({ schemas: service.schemas });
  const database = db.database("notification");
  let passedMs = 0;
  const asked = { users: 0, usersAreDown: false, tokens: 0, user: ada, previousEmail: "" };

  /** Starts a process of the service. `between` wraps the store, and `clockAheadMs` offsets the clock. */
  function start(
    transport: MailTransport,
    between: (store: NotificationStore) => NotificationStore = (store) => store,
    clockAheadMs = 0,
  ) {
    const now = () => new Date(Date.now() + passedMs + clockAheadMs);
    const store = between(createNotificationStore(database));
    const calls = callsFor(asked);
    const complete = completeMail({ calls, config: { publicUrl: "https://shop.example" } });
    const delivery = createDelivery({ store, transport, complete, now, log: quietLogger });
    const parts = { calls, notifications: store, delivery, config: { mailFrom }, priceOf, now };
    const endpoint = createEndpoint({
      service: "notification",
      routes: [serve(NotificationService, notifications({ database, notifications: store }))],
      verifier: { user: personOf, service: async (name) => ({ name }) },
      fingerprintKey: "a key for tests",
      log: quietLogger,
    });
    const names = { caller: "gateway", target: "notification", tokens: { for: async () => "gateway" } };
    return {
      calls: createClient(
        NotificationService,
        { kind: "local", endpoint: () => endpoint, checksMessages: true },
        names,
      ),
      sweep: () => delivery.sweep(new AbortController().signal),
      forgetText: () => forgetMailText({ notifications: store, log: quietLogger, now })(new AbortController().signal),
      orderMail: runner("order-mail", orderMailHandler(parts)),
      resetMail: runner("reset-mail", accountMailHandler(parts)),
      welcomeMail: runner("welcome-mail", accountMailHandler(parts)),
      accountMail: runner("account-mail", accountMailHandler(parts)),
    };
  }

  return {
    start,
    database,
    asked,
    /** Advances the clocks of the processes and ages the claims in Postgres. */
    async passTime(ms: number): Promise<void> {
      passedMs += ms;
      await database.sql`update notification set held_until = held_until - ${ms} * interval '1 millisecond'`;
    },
    async inboxOf(eventId: string): Promise<string[]> {
      const rows = await database.sql<
        { subscription: string }[]
      >`select subscription from inbox where event_id = ${eventId}`;
      return rows.map(({ subscription }) => subscription);
    },
    close: () => db.close(),
  };
}

function runner(subscription: string, handler: ReturnType<typeof orderMailHandler | typeof accountMailHandler>): Run {
  // Each runner is given the events of its own subscription by the test.
  const run = handler.handle as (event: unknown, inbox: unknown, signal: AbortSignal) => Promise<void>;
  return (event) => run(event, { subscription, eventId: event.id }, new AbortController().signal);
}

const confirmTime = timestampFromDate(new Date(Date.UTC(2026, 0, 1)));
export const ada = create(UserSchema, {
  id: uuidv7(),
  name: "Ada <Lovelace>",
  email: "ada@example.com",
  emailConfirmTime: confirmTime,
});

export const order = create(OrderSchema, {
  id: uuidv7(),
  userId: ada.id,
  items: [
    {
      productId: uuidv7(),
      name: "Mug & Saucer <large>",
      quantity: 2,
      unitPrice: { currencyCode: "EUR", minorUnits: 1250n },
      total: { currencyCode: "EUR", minorUnits: 2500n },
    },
    {
      productId: uuidv7(),
      name: "Teapot",
      quantity: 1,
      unitPrice: { currencyCode: "EUR", minorUnits: 4999n },
      total: { currencyCode: "EUR", minorUnits: 4999n },
    },
  ],
  total: { currencyCode: "EUR", minorUnits: 7499n },
  shippingAddress: { name: "Ada", lines: ["1 Canal Street"], city: "Venice", postalCode: "30100", countryCode: "IT" },
});

function callsFor(asked: { users: number; usersAreDown: boolean; tokens: number; user: User; previousEmail: string }) {
  return {
    users: {
      getUser: async () => {
        asked.users += 1;
        if (asked.usersAreDown) throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE);
        return { user: asked.user };
      },
    },
    auth: {
      createPasswordResetToken: async ({ resetId }: { resetId: string }) => {
        if (resetId === usedReset)
          throw new CallError({ ...callErrors.INVALID_REQUEST, reason: "RESET_TOKEN_INVALID" });
        asked.tokens += 1;
        return {
          token: `secret-${asked.tokens}`,
          expireTime: timestampFromDate(new Date(Date.UTC(2026, 0, 1, 12, 30))),
        };
      },
      createEmailConfirmationToken: async ({ confirmationId }: { confirmationId: string }) => {
        if (confirmationId === usedConfirmation) throw confirmationOver();
        asked.tokens += 1;
        return {
          token: `confirm-${asked.tokens}`,
          expireTime: timestampFromDate(new Date(Date.UTC(2026, 0, 4, 12, 30))),
        };
      },
      getEmailConfirmation: async ({ confirmationId }: { confirmationId: string }) => {
        if (confirmationId === goneConfirmation) throw confirmationOver();
        const previousEmail = asked.previousEmail;
        return { userId: ada.id, email: "new@example.com", previousEmail };
      },
    },
    orders: { getOrder: async () => ({ order }) },
    // The handlers use these methods of the three clients.
  } as unknown as Parameters<typeof orderMailHandler>[0]["calls"] &
    Parameters<typeof accountMailHandler>[0]["calls"] &
    Parameters<typeof completeMail>[0]["calls"];
}

export function orderEvent(
  kind: OrderEvent_Kind,
  more: MessageInitShape<typeof OrderEventSchema> = {},
): Event<MessageShape<typeof OrderEventSchema>> {
  const payload = create(OrderEventSchema, {
    orderId: order.id,
    userId: ada.id,
    version: 3,
    kind,
    total: order.total,
    ...more,
  });
  return {
    ...envelope(),
    topic: `order.${OrderEvent_Kind[kind].toLowerCase()}`,
    subject: order.id,
    version: 3,
    payload,
  };
}

/** A confirmation that was used before its mail was sent, and one that ended with its address. */
export const usedConfirmation = uuidv7();
export const goneConfirmation = uuidv7();

function confirmationOver() {
  return new CallError({ ...callErrors.INVALID_REQUEST, reason: "CONFIRMATION_TOKEN_INVALID" });
}

export function accountEvent(
  kind: "EMAIL_CONFIRMATION_REQUESTED" | "EMAIL_CHANGED" | "PASSWORD_CHANGED",
  confirmationId = "",
): Event<MessageShape<typeof UserEventSchema>> {
  const payload = create(UserEventSchema, { userId: ada.id, kind: UserEvent_Kind[kind], confirmationId });
  return { ...envelope(), topic: `user.${kind.toLowerCase()}`, subject: uuidv7(), version: 1, payload };
}

export function userCreated(confirmationId = ""): Event<MessageShape<typeof UserEventSchema>> {
  const payload = create(UserEventSchema, { userId: ada.id, kind: UserEvent_Kind.CREATED, confirmationId });
  return { ...envelope(), topic: "user.created", subject: ada.id, version: 1, payload };
}

/** A reset that was used before its mail was sent. */
export const usedReset = uuidv7();

export function resetRequested(resetId: string = uuidv7()): Event<MessageShape<typeof UserEventSchema>> {
  const kind = UserEvent_Kind.PASSWORD_RESET_REQUESTED;
  const payload = create(UserEventSchema, { userId: ada.id, kind, resetId });
  return { ...envelope(), topic: "user.password_reset_requested", subject: resetId, version: 1, payload };
}

const envelope = () => ({ id: uuidv7(), time: new Date(), traceparent: "" });

export function as(role: "CUSTOMER" | "ADMIN", userId: string = uuidv7()): PropagatedContext {
  return { ...backgroundContext({ timeoutMs: 20_000 }), userToken: `${role}.${userId}` };
}

async function personOf(token: string) {
  const [role, userId] = token.split(".");
  if (role !== "CUSTOMER" && role !== "ADMIN") throw new CallError(callErrors.TOKEN_INVALID);
  return { role, userId: userId as UserId, sessionId: "s" } as const;
}
