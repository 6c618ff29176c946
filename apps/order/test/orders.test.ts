import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import {
  Attention_Reason,
  Order_PendingAction,
  Order_RejectionReason,
  Order_Status,
  OrderEvent_Kind,
  OrderSchema,
  ShippingAddressSchema,
} from "@rialto/contracts";
import { backgroundContext, reasonOf } from "@rialto/rpc";
import { repeatWhileInUse } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { rebuildOrders } from "../src/rebuild.ts";
import { refusal } from "./fake-services.ts";
import { adminId, asAdmin, asCustomer, type Fixture, newKey, openFixture, refusalOf } from "./order-fixture.ts";

let fixture: Fixture;

beforeAll(async () => {
  fixture = await openFixture();
});

afterEach(() => {
  fixture.outside.interference = {};
  fixture.outside.card = "approved";
});

afterAll(async () => {
  // Whatever the tests above did, each row is its log folded.
  expect((await rebuildOrders(fixture.database)).differences).toEqual([]);
  await fixture.close();
});

const approved = "pm_test_approved";

/** An order as it is placed; the customer's own context with it. */
async function place(o: { customer?: string; quantity?: number } = {}) {
  const customer = o.customer ?? fixture.customer();
  const context = asCustomer(customer);
  const items = [{ productId: fixture.product(), quantity: o.quantity ?? 2 }];
  const { order } = await fixture.gateway.createOrder({ items, paymentMethod: approved }, context);
  if (order === undefined) throw new Error("no order");
  return { id: order.id, order, context, customer };
}

/** An order that the saga has brought to rest. */
async function settled() {
  const placed = await place();
  await fixture.deliver(placed.id);
  return placed;
}

async function shipped() {
  const placed = await settled();
  await fixture.gateway.shipOrder({ id: placed.id }, asAdmin());
  await fixture.deliver(placed.id);
  return placed;
}

const read = async (id: string) => (await fixture.gateway.getOrder({ id }, asAdmin())).order;

describe("creating an order", () => {
  it("keeps of an address what it knows, whatever a newer client sends along", async () => {
    const context = asCustomer(fixture.customer());
    const known = { name: "Ada", lines: ["1 Mill Lane"], city: "York", postalCode: "YO1", countryCode: "GB" };
    const shippingAddress = create(ShippingAddressSchema, known);
    shippingAddress.$unknown = [
      { no: 99, wireType: WireType.LengthDelimited, data: new Uint8Array([3, 110, 101, 119]) },
    ];
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const placed = await fixture.gateway.createOrder({ items, paymentMethod: approved, shippingAddress }, context);
    const { order } = await fixture.gateway.getOrder({ id: placed.order?.id ?? "" }, context);
    expect(order?.shippingAddress).toEqual(create(ShippingAddressSchema, known));
    expect(fromBinary(OrderSchema, toBinary(OrderSchema, create(OrderSchema, order)))).toEqual(order);
  });

  it("answers PENDING with names and prices copied from the catalog", async () => {
    const customer = fixture.customer();
    const teapot = fixture.product({ name: "Teapot", price: 1250n });
    const cup = fixture.product({ name: "Cup", price: 390n });
    const shippingAddress = { name: "Ada", lines: ["1 Mill Lane"], city: "York", postalCode: "YO1", countryCode: "GB" };
    const { order } = await fixture.gateway.createOrder(
      {
        items: [
          { productId: teapot, quantity: 2 },
          { productId: cup, quantity: 3 },
        ],
        paymentMethod: approved,
        shippingAddress,
      },
      asCustomer(customer),
    );
    const eur = (minorUnits: bigint) => expect.objectContaining({ currencyCode: "EUR", minorUnits });
    expect(order).toMatchObject({
      userId: customer,
      status: Order_Status.PENDING,
      version: 1,
      paymentMethod: approved,
      shippingAddress,
      items: [
        { productId: teapot, name: "Teapot", unitPrice: eur(1250n), quantity: 2, total: eur(2500n) },
        { productId: cup, name: "Cup", unitPrice: eur(390n), quantity: 3, total: eur(1170n) },
      ],
      total: eur(3670n),
      captured: eur(0n),
      refunded: eur(0n),
    });
    expect(await read(order?.id ?? "")).toEqual(order);
  });

  it("publishes it in the same commit, without personal data", async () => {
    const { id, customer } = await place();
    const [event, ...more] = await fixture.published(id);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ topic: "order.placed", version: 1 });
    expect(event?.payload).toEqual({
      orderId: id,
      userId: customer,
      version: 1,
      kind: "PLACED",
      status: "PENDING",
      total: { currencyCode: "EUR", minorUnits: "2500" },
      captured: { currencyCode: "EUR" },
      refunded: { currencyCode: "EUR" },
    });
  });

  it("takes an id in capital letters for the same product, and refuses it where it is there already", async () => {
    const teapot = fixture.product({ price: 990n });
    const shouted = teapot.toUpperCase();
    const place = (...ids: readonly string[]) => {
      const items = ids.map((productId) => ({ productId, quantity: 1 }));
      return fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    };
    expect((await place(shouted)).order?.items[0]?.productId).toBe(teapot);
    expect(await refusalOf(place(teapot, shouted))).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it("names the item whose product is not on sale", async () => {
    const items = [fixture.product(), fixture.product({ active: false })].map((productId) => ({
      productId,
      quantity: 1,
    }));
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await refusalOf(call)).toMatchObject({
      code: "failed_precondition",
      reason: "PRODUCT_UNAVAILABLE",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it("names the item that is priced in another currency", async () => {
    const items = [fixture.product(), fixture.product({ currency: "USD" })].map((productId) => ({
      productId,
      quantity: 1,
    }));
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await refusalOf(call)).toMatchObject({
      reason: "CURRENCY_MIXED",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it.each([0, 1001, -1])("names the item whose quantity is out of range: %i", async (quantity) => {
    const items = [{ productId: fixture.product(), quantity }];
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await refusalOf(call)).toMatchObject({
      code: "invalid_argument",
      reason: "INVALID_REQUEST",
      fields: [{ field: "items[0].quantity" }],
    });
  });

  it("names the field whose text cannot be kept", async () => {
    const shippingAddress = { name: "NUL \0", lines: ["1 Mill Lane"], city: "York", postalCode: "", countryCode: "GB" };
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const request = { items, paymentMethod: approved, shippingAddress };
    const call = fixture.gateway.createOrder(request, asCustomer(fixture.customer()), newKey());
    expect(await refusalOf(call)).toMatchObject({
      code: "invalid_argument",
      reason: "INVALID_REQUEST",
      fields: [{ field: "shipping_address.name" }],
    });
  });

  it("refuses a caller whose account is gone", async () => {
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(adminId));
    expect(await refusalOf(call)).toMatchObject({ code: "failed_precondition", reason: "CUSTOMER_UNKNOWN" });
  });
});

describe("an idempotency key", () => {
  const request = () => ({ items: [{ productId: fixture.product(), quantity: 1 }], paymentMethod: approved });

  it("used twice gives the same answer and one order", async () => {
    const context = asCustomer(fixture.customer());
    const [asked, key] = [request(), newKey()];
    const first = await fixture.gateway.createOrder(asked, context, key);
    expect(await fixture.gateway.createOrder(asked, context, key)).toEqual(first);
    expect((await fixture.gateway.listOrders({}, context)).orders).toHaveLength(1);
  });

  it("used many times at once gives one order", async () => {
    const context = asCustomer(fixture.customer());
    const [asked, key] = [request(), newKey()];
    const other = fixture.start();
    const processes = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? fixture.gateway : other.gateway));
    const answers = await Promise.all(
      processes.map((gateway) => repeatWhileInUse(() => gateway.createOrder(asked, context, key))),
    );
    expect(new Set(answers.map(({ order }) => order?.id)).size).toBe(1);
    expect((await fixture.gateway.listOrders({}, context)).orders).toHaveLength(1);
  });

  it("used with another request is refused", async () => {
    const context = asCustomer(fixture.customer());
    const key = newKey();
    await fixture.gateway.createOrder(request(), context, key);
    const error = await refusalOf(fixture.gateway.createOrder(request(), context, key));
    expect(error).toMatchObject({ code: "failed_precondition", reason: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("is its caller's own: another customer's same key is another key", async () => {
    const [asked, key] = [request(), newKey()];
    const first = await fixture.gateway.createOrder(asked, asCustomer(fixture.customer()), key);
    const second = await fixture.gateway.createOrder(asked, asCustomer(fixture.customer()), key);
    expect(first.order?.id).not.toBe(second.order?.id);
  });

  it("stores nothing where the request was refused, so that it can be used for a better one", async () => {
    const context = asCustomer(fixture.customer());
    const key = newKey();
    const bad = { items: [{ productId: fixture.product({ active: false }), quantity: 1 }], paymentMethod: approved };
    expect((await refusalOf(fixture.gateway.createOrder(bad, context, key))).reason).toBe("PRODUCT_UNAVAILABLE");
    expect((await fixture.gateway.createOrder(request(), context, key)).order?.status).toBe(Order_Status.PENDING);
  });

  it("brings back the answer of a request that the order would refuse by now", async () => {
    const { id } = await settled();
    const key = newKey();
    const first = await fixture.gateway.shipOrder({ id }, asAdmin(), key);
    await fixture.deliver(id);
    expect((await read(id))?.status).toBe(Order_Status.SHIPPED);
    expect(await fixture.gateway.shipOrder({ id }, asAdmin(), key)).toEqual(first);
    expect((await refusalOf(fixture.gateway.shipOrder({ id }, asAdmin()))).reason).toBe("ORDER_SHIPPED");
  });

  it("is kept where nothing was to be done, and refused for another request", async () => {
    const { id } = await settled();
    await fixture.gateway.shipOrder({ id }, asAdmin());
    const key = newKey();
    const first = await fixture.gateway.shipOrder({ id }, asAdmin(), key);
    await fixture.deliver(id);
    expect(await fixture.gateway.shipOrder({ id }, asAdmin(), key)).toEqual(first);
    const error = await refusalOf(fixture.gateway.shipOrder({ id: (await settled()).id }, asAdmin(), key));
    expect(error.reason).toBe("IDEMPOTENCY_KEY_REUSED");
  });
});

describe("an order's life", () => {
  it("leads to CONFIRMED, then SHIPPED with the money captured, then DELIVERED", async () => {
    const { id } = await settled();
    expect(await read(id)).toMatchObject({ status: Order_Status.CONFIRMED, version: 3 });
    const { order } = await fixture.gateway.shipOrder({ id }, asAdmin());
    expect(order).toMatchObject({ pendingAction: Order_PendingAction.SHIP, status: Order_Status.CONFIRMED });
    await fixture.deliver(id);
    expect(await read(id)).toMatchObject({ status: Order_Status.SHIPPED, captured: { minorUnits: 2500n } });
    expect((await fixture.gateway.deliverOrder({ id }, asAdmin())).order?.status).toBe(Order_Status.DELIVERED);
    const topics = (await fixture.published(id)).map(({ topic }) => topic);
    expect(topics).toEqual([
      "order.placed",
      "order.stock_reserved",
      "order.confirmed",
      "order.ship_requested",
      "order.shipped",
      "order.delivered",
    ]);
  });

  it("ends REJECTED when the card is declined, and the stock is back", async () => {
    fixture.outside.card = "declined";
    const before = fixture.outside.available();
    const { id } = await settled();
    expect(await read(id)).toMatchObject({
      status: Order_Status.REJECTED,
      rejectionReason: Order_RejectionReason.PAYMENT_DECLINED,
    });
    expect(fixture.outside.available()).toBe(before);
  });

  it("ends REJECTED when there is too little in stock", async () => {
    fixture.outside.interference.before = (method) => {
      if (method === "reserveStock") throw refusal("OUT_OF_STOCK");
    };
    const { id } = await settled();
    expect(await read(id)).toMatchObject({
      status: Order_Status.REJECTED,
      rejectionReason: Order_RejectionReason.OUT_OF_STOCK,
    });
  });

  it("ends CANCELLED when that is asked for before it is shipped, and nothing is held", async () => {
    const { id, context } = await settled();
    const { order } = await fixture.gateway.cancelOrder({ id, reason: "too late for the party" }, context);
    expect(order?.pendingAction).toBe(Order_PendingAction.CANCEL);
    await fixture.deliver(id);
    expect(await read(id)).toMatchObject({ status: Order_Status.CANCELLED });
    expect(fixture.outside.holdings(id)).toEqual({ reservation: "RELEASED", payment: "VOIDED" });
  });

  it("consumes each of its events in the commit that answers it", async () => {
    const { id } = await settled();
    const [placed] = await fixture.published(id);
    const rows = await fixture.database.sql`select subscription from inbox where event_id = ${placed?.eventId ?? ""}`;
    expect(rows).toEqual([{ subscription: "checkout" }]);
  });

  it("waits for a person when the capture is refused, until an admin ships it again", async () => {
    const { id, context } = await settled();
    fixture.outside.interference.before = (method) => {
      if (method === "capturePayment") throw refusal("CAPTURE_REFUSED");
    };
    await fixture.gateway.shipOrder({ id }, asAdmin());
    await fixture.deliver(id);
    expect(await read(id)).toMatchObject({
      status: Order_Status.CONFIRMED,
      pendingAction: Order_PendingAction.SHIP,
      attention: { reason: Attention_Reason.CAPTURE_REFUSED, detail: "CAPTURE_REFUSED" },
    });
    expect((await refusalOf(fixture.gateway.cancelOrder({ id }, context))).reason).toBe("SHIPPING_REQUESTED");
    fixture.outside.interference = {};
    expect((await fixture.gateway.shipOrder({ id }, asAdmin())).order?.attention).toBeUndefined();
    await fixture.deliver(id);
    expect(await read(id)).toMatchObject({ status: Order_Status.SHIPPED });
  });

  it("waits for a person when the authorization ran out, until an admin cancels it", async () => {
    const { id } = await settled();
    fixture.outside.interference.before = (method) => {
      if (method === "capturePayment") throw refusal("AUTHORIZATION_EXPIRED");
    };
    await fixture.gateway.shipOrder({ id }, asAdmin());
    await fixture.deliver(id);
    expect((await read(id))?.attention?.reason).toBe(Attention_Reason.AUTHORIZATION_EXPIRED);
    const { order } = await fixture.gateway.cancelOrder({ id }, asAdmin());
    expect(order).toMatchObject({ pendingAction: Order_PendingAction.CANCEL });
    await fixture.deliver(id);
    expect((await read(id))?.status).toBe(Order_Status.CANCELLED);
  });
});

describe("what a person may not do", () => {
  it("is refused with its reason", async () => {
    const pending = await place();
    const atHome = await shipped();
    await fixture.gateway.deliverOrder({ id: atHome.id }, asAdmin());
    const onItsWay = await shipped();
    const reasonOf = async (call: Promise<unknown>) => (await refusalOf(call)).reason;
    expect(await reasonOf(fixture.gateway.shipOrder({ id: pending.id }, asAdmin()))).toBe("ORDER_NOT_CONFIRMED");
    expect(await reasonOf(fixture.gateway.deliverOrder({ id: pending.id }, asAdmin()))).toBe("ORDER_NOT_SHIPPED");
    expect(await reasonOf(fixture.gateway.cancelOrder({ id: onItsWay.id }, onItsWay.context))).toBe("ORDER_SHIPPED");
    expect(await reasonOf(fixture.gateway.cancelOrder({ id: atHome.id }, atHome.context))).toBe("ORDER_CLOSED");
    await fixture.gateway.cancelOrder({ id: pending.id }, pending.context);
    expect(await reasonOf(fixture.gateway.shipOrder({ id: pending.id }, asAdmin()))).toBe("CANCELLATION_REQUESTED");
  });

  it("is never to see or change another's order: it looks as if it did not exist", async () => {
    const { id } = await place();
    const stranger = asCustomer(fixture.customer());
    const unknown = "01990000-0000-7000-8000-000000000000";
    for (const target of [id, unknown]) {
      const calls = [
        () => fixture.gateway.getOrder({ id: target }, stranger),
        () => fixture.gateway.cancelOrder({ id: target }, stranger),
        () => fixture.gateway.listOrderEvents({ orderId: target }, stranger),
        () => fixture.gateway.watchOrder({ id: target }, stranger)[Symbol.asyncIterator]().next(),
      ];
      for (const call of calls)
        expect(await refusalOf(call())).toMatchObject({ code: "not_found", reason: "ORDER_NOT_FOUND" });
    }
    expect((await refusalOf(fixture.gateway.shipOrder({ id }, stranger))).code).toBe("permission_denied");
    expect(await read(id)).toMatchObject({ version: 1 });
  });

  it("does not hold for the notification service, which reads any order", async () => {
    const { id, order } = await place();
    expect((await fixture.notification.getOrder({ id }, backgroundContext({}))).order).toEqual(order);
  });
});

describe("the same request twice", () => {
  it("answers the order as it is, without a second event", async () => {
    const { id, context } = await place();
    const first = await fixture.gateway.cancelOrder({ id, reason: "first" }, context);
    expect(await fixture.gateway.cancelOrder({ id, reason: "second" }, context)).toEqual(first);
    expect(await fixture.published(id)).toHaveLength(2);
  });
});

describe("two writers of one order", () => {
  it("cannot both have their way: one wins, the other decides again from the new state", async () => {
    const other = fixture.start();
    for (let round = 0; round < 8; round += 1) {
      const { id, context } = await settled();
      const [cancel, ship] = await Promise.allSettled([
        fixture.gateway.cancelOrder({ id }, context),
        other.gateway.shipOrder({ id }, asAdmin()),
      ]);
      const loser = cancel.status === "rejected" ? cancel.reason : ship.status === "rejected" ? ship.reason : undefined;
      expect([cancel.status, ship.status].sort()).toEqual(["fulfilled", "rejected"]);
      expect(loser).toMatchObject({
        reason: cancel.status === "rejected" ? "SHIPPING_REQUESTED" : "CANCELLATION_REQUESTED",
      });
      expect(await fixture.published(id)).toHaveLength(4);
    }
  });

  it("that want the same get the same", async () => {
    const other = fixture.start();
    const { id, context } = await place();
    const processes = [fixture.gateway, other.gateway, fixture.gateway, other.gateway];
    const answers = await Promise.all(processes.map((gateway) => gateway.cancelOrder({ id }, context)));
    expect(new Set(answers.map(({ order }) => order?.version))).toEqual(new Set([2]));
    expect(await fixture.published(id)).toHaveLength(2);
  });

  it("are the saga of two processes, whose steps have their effect once", async () => {
    const other = fixture.start();
    const { id } = await place();
    const before = fixture.outside.effects.length;
    const context = backgroundContext({});
    await Promise.all([fixture.checkout.advance(id, { context }), other.checkout.advance(id, { context })]);
    expect(await read(id)).toMatchObject({ status: Order_Status.CONFIRMED, version: 3 });
    expect(fixture.outside.effects.slice(before)).toEqual(["reserveStock", "authorizePayment"]);
  });
});

describe("a refund", () => {
  it("is recorded on the order, by its total", async () => {
    const { id } = await shipped();
    await fixture.refund(id, { captured: 2500n, refunded: 1000n });
    await fixture.refund(id, { captured: 2500n, refunded: 2500n });
    await fixture.refund(id, { captured: 2500n, refunded: 1000n });
    expect(await read(id)).toMatchObject({
      status: Order_Status.SHIPPED,
      captured: { minorUnits: 2500n },
      refunded: { minorUnits: 2500n },
      version: 7,
    });
  });

  it("of more than was captured is nothing that can be recorded", async () => {
    const { id } = await shipped();
    await expect(fixture.refund(id, { captured: 2500n, refunded: 2501n })).rejects.toThrow("AMOUNT_IMPOSSIBLE");
    expect(await read(id)).toMatchObject({ version: 5 });
  });
});

describe("a list of orders", () => {
  it("is the customer's own, newest first, page by page", async () => {
    const customer = fixture.customer();
    const placed: string[] = [];
    for (let n = 0; n < 5; n += 1) placed.push((await place({ customer })).id);
    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await fixture.gateway.listOrders({ pageSize: 2, pageToken }, asCustomer(customer));
      expect(page.orders.length).toBeLessThanOrEqual(2);
      listed.push(...page.orders.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed).toEqual(placed.toReversed());
  });

  it("is for an admin by user and by status", async () => {
    const { id, customer } = await settled();
    const { id: pending } = await place({ customer });
    const ids = async (filter: { userId?: string; status?: Order_Status }) =>
      (await fixture.gateway.listOrders(filter, asAdmin())).orders.map((order) => order.id);
    expect(await ids({ userId: customer })).toEqual([pending, id]);
    expect(await ids({ userId: customer, status: Order_Status.CONFIRMED })).toEqual([id]);
    expect(await ids({ status: Order_Status.PENDING })).toContain(pending);
    expect(await ids({ status: Order_Status.PENDING })).not.toContain(id);
    expect(await ids({})).toEqual(expect.arrayContaining([id, pending]));
  });

  it("of another account is refused to a customer, whether there is one or not", async () => {
    const stranger = asCustomer(fixture.customer());
    for (const userId of [fixture.customer(), adminId]) {
      const error = await refusalOf(fixture.gateway.listOrders({ userId }, stranger));
      expect(error).toMatchObject({ code: "permission_denied", reason: "ACCESS_DENIED" });
    }
  });

  it("takes no page token of another list", async () => {
    const customer = fixture.customer();
    for (let n = 0; n < 2; n += 1) await place({ customer });
    const { nextPageToken } = await fixture.gateway.listOrders({ pageSize: 1 }, asCustomer(customer));
    const call = fixture.gateway.listOrders(
      { pageSize: 1, pageToken: nextPageToken, status: Order_Status.SHIPPED },
      asCustomer(customer),
    );
    expect(await refusalOf(call)).toMatchObject({ code: "invalid_argument", reason: "PAGE_TOKEN_INVALID" });
  });
});

describe("an order's history", () => {
  it("shows who did what, when and why, and in which trace", async () => {
    const { id, context, customer } = await settled();
    await fixture.gateway.cancelOrder({ id, reason: "too late for the party" }, context);
    await fixture.deliver(id);
    const { events } = await fixture.gateway.listOrderEvents({ orderId: id }, context);
    expect(events.map(({ kind, version, actor, reason }) => ({ kind, version, actor, reason }))).toEqual([
      { kind: OrderEvent_Kind.PLACED, version: 1, actor: `customer:${customer}`, reason: "" },
      { kind: OrderEvent_Kind.STOCK_RESERVED, version: 2, actor: "service:order", reason: "" },
      { kind: OrderEvent_Kind.CONFIRMED, version: 3, actor: "service:order", reason: "" },
      {
        kind: OrderEvent_Kind.CANCEL_REQUESTED,
        version: 4,
        actor: `customer:${customer}`,
        reason: "too late for the party",
      },
      { kind: OrderEvent_Kind.CANCELLED, version: 5, actor: "service:order", reason: "" },
    ]);
    const traceOf = (traceparent: string) => traceparent.split("-")[1];
    expect(events.map(({ traceId }) => traceId)).toEqual(Array.from({ length: 5 }, () => traceOf(context.traceparent)));
  });

  it("is paged, oldest first", async () => {
    const { id, context } = await settled();
    const first = await fixture.gateway.listOrderEvents({ orderId: id, pageSize: 2 }, context);
    expect(first.events.map(({ version }) => version)).toEqual([1, 2]);
    const rest = await fixture.gateway.listOrderEvents(
      { orderId: id, pageSize: 2, pageToken: first.nextPageToken },
      context,
    );
    expect(rest).toMatchObject({ events: [{ version: 3 }], nextPageToken: "" });
  });
});

describe("a row that Postgres refuses", () => {
  it.each([
    { set: "captured = total + 1", constraint: "orders_money" },
    { set: "refunded = 1", constraint: "orders_money" },
    { set: "status = 'LOST'", constraint: "orders_" },
    { set: "status = 'SHIPPED'", constraint: "orders_captured" },
    { set: "status = 'REJECTED'", constraint: "orders_rejection" },
    { set: "pending_action = 'SHIP'", constraint: "orders_pending" },
    { set: "attention_reason = 'STOCK_LOST'", constraint: "orders_attention" },
  ])("is one that no order can be: $set", async ({ set, constraint }) => {
    const { id } = await place();
    const update = fixture.database.sql.unsafe(`update orders set ${set} where id = $1`, [id]);
    await expect(update).rejects.toMatchObject({ code: "23514", constraint_name: expect.stringContaining(constraint) });
  });
});

describe("comparing rows with their logs", () => {
  it("finds the one that was changed behind the log's back", async () => {
    const { id } = await place();
    await fixture.database.sql`update orders set total = total + 1 where id = ${id}`;
    expect((await rebuildOrders(fixture.database)).differences).toMatchObject([{ id }]);
    await fixture.database.sql`update orders set total = total - 1 where id = ${id}`;
    expect((await rebuildOrders(fixture.database)).differences).toEqual([]);
  });
});

describe("an account with an unconfirmed e-mail address", () => {
  const outcomeOf = (call: Promise<unknown>) => call.then(() => "none", reasonOf);
  const as = (userId: string, word: string) => ({ ...asCustomer(userId), userToken: `CUSTOMER.${userId}.${word}` });
  const outcome = async (process: Pick<Fixture, "gateway">, word: string) => {
    const items = [{ productId: fixture.product(), quantity: 1 }];
    return outcomeOf(process.gateway.createOrder({ items, paymentMethod: approved }, as(fixture.customer(), word)));
  };

  it("orders as any other", async () => {
    expect(await outcome(fixture, "unconfirmed")).toBe("none");
  });

  it("does not order where the shop asks for a confirmed one; who has one does, and who has an older version's token", async () => {
    const strict = fixture.start({ requireConfirmedEmail: true });
    expect(await outcome(strict, "unconfirmed")).toBe("EMAIL_UNCONFIRMED");
    expect(await outcome(strict, "confirmed")).toBe("none");
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const older = strict.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await outcomeOf(older)).toBe("none");
  });
});
