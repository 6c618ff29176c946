import { Order_Status, OrderEvent_Kind } from "@rialto/contracts";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { rebuildOrders } from "../src/rebuild.ts";
import { adminId, asAdmin, asCustomer, openFixture, refusalOf } from "./order-fixture.ts";
import { closeAsLogged, placedOrders, restoreServices } from "./placed-orders.ts";

const fixture = await openFixture();
const { place, settled } = placedOrders(fixture);
afterEach(() => restoreServices(fixture));
afterAll(() => closeAsLogged(fixture));

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
