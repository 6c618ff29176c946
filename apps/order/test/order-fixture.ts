import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { createDeadlineWheel } from "@rialto/async";
import {
  BatchGetProductsResponseSchema,
  GetUserResponseSchema,
  OrderEventSchema,
  OrderService,
  PaymentEvent_Kind,
  PaymentEventSchema,
  type Product,
  ProductSchema,
  UserSchema,
} from "@rialto/contracts";
import { type Database, ownerUrl } from "@rialto/database";
import type { InboxKey } from "@rialto/events";
import {
  backgroundContext,
  CallError,
  type Client,
  callErrors,
  createClient,
  createEndpoint,
  type Endpoint,
  type PropagatedContext,
  serve,
  type UserId,
} from "@rialto/rpc";
import { quietLogger, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import type { Admission } from "../src/admission/admission.ts";
import { advanceOnEvent, type Checkout, checkoutTopics, createCheckout } from "../src/checkout/advance.ts";
import { recordRefund } from "../src/checkout/record-refund.ts";
import { createOrderStore, type OrderStore } from "../src/order/store.ts";
import { orders } from "../src/requests/orders.ts";
import { createOrderWatch } from "../src/requests/watch.ts";
import { order as service } from "../src/service.ts";
import { down, fakeServices } from "./fake-services.ts";

/**
 * The order service on a database of its own, called through its endpoint, beside a product, a payment and a user
 * service in memory.
 */
export type Fixture = Awaited<ReturnType<typeof openFixture>>;

export type Calls = Client<typeof OrderService>;

export async function openFixture() {
  const db = await testDatabase({ schemas: service.schemas, jobs: true });
  const database = db.database("order");
  const outside = fakeServices({ available: 1_000_000 });
  const catalog = new Map<string, Product>();
  const users = new Set<string>();
  const asked: string[] = [];
  const state: { users: Reachable; products: Reachable } = { users: "up", products: "up" };
  const closing: (() => Promise<void>)[] = [];
  const now = () => new Date();

  const calls = {
    ...outside.calls,
    users: {
      async getUser({ id = "" }: { readonly id?: string }) {
        asked.push("getUser");
        await reach(state.users);
        if (!users.has(id))
          throw new CallError({ message: "none", code: "not_found", reason: "USER_NOT_FOUND" }, { remote: true });
        return create(GetUserResponseSchema, { user: create(UserSchema, { id }) });
      },
    },
    products: {
      async batchGetProducts({ ids = [] }: { readonly ids?: readonly string[] }) {
        asked.push("batchGetProducts");
        await reach(state.products);
        const products = ids.flatMap((id) => catalog.get(id.toLowerCase()) ?? []);
        return create(BatchGetProductsResponseSchema, { products });
      },
    },
  };

  /** Starts a process of the service; all of them share the database and the other services. */
  function start(
    config = { requireConfirmedEmail: false },
    o: {
      readonly database?: Database;
      readonly changed?: (store: OrderStore) => Partial<OrderStore>;
      readonly admission?: Pick<Admission, "requireAdmitted">;
    } = {},
  ) {
    const { database = db.database("order"), changed = () => ({}), admission = admitsAll } = o;
    const opened = createOrderStore({ database, onCommitted: () => undefined });
    const store = { ...opened, ...changed(opened) };
    const watch = createOrderWatch({ orders: store });
    const checkout = createCheckout({ orders: store, calls, now });
    const endpoint = createEndpoint({
      service: "order",
      routes: [
        serve(
          OrderService,
          orders({ orders: store, watch, database, calls, config, admission, wheel: createDeadlineWheel() }),
        ),
      ],
      verifier: { user: personOf, service: async (name) => ({ name }) },
      fingerprintKey: "a key for tests",
      log: quietLogger,
    });
    closing.push(async () => {
      watch.close();
      await store.close();
    });
    return {
      store,
      checkout,
      gateway: clientOf(() => endpoint, "gateway"),
      notification: clientOf(() => endpoint, "notification"),
    };
  }

  const first = start();
  return {
    ...first,
    start,
    database,
    /** The superuser's way, to damage what the service itself may not. */
    superuser: db.sql,
    outside,
    asked,
    /** Whether the user and the product service are up; set by tests. */
    state,
    /** The queues' database, as its owner and as a service. */
    jobsUrl: db.urlOf("jobs"),
    jobsOwnerUrl: () => ownerUrl(db.adminUrl, "jobs", db.secret),
    /** The service's own database, for a process with connections of its own. */
    url: db.urlOf("order"),
    removeAccount: (id: string) => void users.delete(id),
    /** Changes a product of the catalog; without a change it is gone. */
    changeProduct(id: string, change?: { readonly price?: bigint; readonly active?: boolean }) {
      const before = catalog.get(id);
      catalog.delete(id);
      if (before === undefined || change === undefined) return;
      const { price: minorUnits = before.price?.minorUnits ?? 0n, active = before.active } = change;
      const { name } = before;
      catalog.set(id, create(ProductSchema, { id, name, active, price: { currencyCode: "EUR", minorUnits } }));
    },
    /** A customer with an account. */
    customer(): string {
      const id = uuidv7();
      users.add(id);
      return id;
    },
    /** A product of the catalog; its id. */
    product(o: { price?: bigint; currency?: string; active?: boolean; name?: string } = {}): string {
      const { price: minorUnits = 1250n, currency: currencyCode = "EUR", active = true, name = "Teapot" } = o;
      const id = uuidv7();
      catalog.set(id, create(ProductSchema, { id, name, active, price: { currencyCode, minorUnits } }));
      return id;
    },
    /** What is in the outbox for an order, oldest first. */
    published: (orderId: string) => published(database, orderId),
    /** Hands the saga's events of an order over, as the relay and the queue would, until there are no new ones. */
    deliver: (orderId: string) => deliver(database, first.checkout, orderId),
    /** Says that a payment gave money back. */
    async refund(orderId: string, totals: { captured: bigint; refunded: bigint }) {
      const event = {
        id: uuidv7(),
        topic: "payment.refunded",
        subject: uuidv7(),
        version: 3,
        time: now(),
        traceparent: "",
      };
      if (totals.captured === totals.refunded) outside.refund(orderId);
      const inbox = { subscription: "order-refunds", eventId: event.id };
      const money = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });
      const payload = create(PaymentEventSchema, {
        orderId,
        kind: PaymentEvent_Kind.REFUNDED,
        captured: money(totals.captured),
        refunded: money(totals.refunded),
      });
      await recordRefund({ orders: first.store, now }).handle({ ...event, payload }, inbox, AbortSignal.timeout(5_000));
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
      await db.close();
    },
  };
}

const admitsAll = { requireAdmitted: () => undefined };

/** "hangs": it takes requests and never answers, as when its machine is gone without a word. */
type Reachable = "up" | "down" | "hangs";

async function reach(state: Reachable): Promise<void> {
  if (state === "down") throw down();
  if (state === "hangs") await new Promise(() => undefined);
}

interface Published {
  readonly eventId: string;
  readonly topic: string;
  readonly version: number;
  readonly traceparent: string;
  readonly time: Date;
  readonly payload: Readonly<Record<string, unknown>>;
}

async function published({ sql }: OpenDatabase, orderId: string): Promise<Published[]> {
  return sql<Published[]>`
    select event_id as "eventId", topic, version, traceparent, time, payload from outbox where subject = ${orderId} order by id`;
}

async function deliver(database: OpenDatabase, checkout: Checkout, orderId: string): Promise<void> {
  const { handle } = advanceOnEvent({ checkout });
  const topics: readonly string[] = checkoutTopics;
  const done = new Set<string>();
  for (let more = true; more; ) {
    const fresh = (await published(database, orderId)).filter(({ eventId }) => !done.has(eventId));
    for (const { eventId, ...event } of fresh) {
      done.add(eventId);
      if (!topics.includes(event.topic)) continue;
      const payload = create(OrderEventSchema, { orderId });
      const inbox: InboxKey = { subscription: "checkout", eventId };
      await handle({ ...event, id: eventId, subject: orderId, payload }, inbox, AbortSignal.timeout(5_000));
    }
    more = fresh.length > 0;
  }
}

type OpenDatabase = Pick<ReturnType<Awaited<ReturnType<typeof testDatabase>>["database"]>, "sql">;

export function asCustomer(userId: string): PropagatedContext {
  return { ...backgroundContext({ timeoutMs: 20_000 }), userToken: `CUSTOMER.${userId}` };
}

export const adminId = uuidv7();

export function asAdmin(): PropagatedContext {
  return { ...backgroundContext({ timeoutMs: 20_000 }), userToken: `ADMIN.${adminId}` };
}

export function newKey(): { idempotencyKey: string } {
  return { idempotencyKey: randomUUID() };
}

/** The error that a call ends with. */
export async function refusalOf(call: Promise<unknown>): Promise<CallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

async function personOf(token: string) {
  const [role, userId, unconfirmed] = token.split(".");
  if ((role !== "CUSTOMER" && role !== "ADMIN") || userId === undefined) throw new CallError(callErrors.TOKEN_INVALID);
  // Tests write their own tokens: what stands in them is an account's id.
  const claims = { userId: userId as UserId, role, sessionId: "a session" } as const;
  return unconfirmed === undefined ? claims : { ...claims, emailConfirmed: unconfirmed !== "unconfirmed" };
}

function clientOf(endpoint: () => Endpoint, caller: string): Calls {
  const tokens = { for: async () => caller };
  return createClient(
    OrderService,
    { kind: "local", endpoint, checksMessages: true },
    { caller, target: "order", tokens },
  );
}
