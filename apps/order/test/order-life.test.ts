import { Attention_Reason, Order_PendingAction, Order_RejectionReason, Order_Status } from "@rialto/contracts";
import { backgroundContext } from "@rialto/rpc";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { refusal } from "./fake-services.ts";
import { asAdmin, asCustomer, openFixture, refusalOf } from "./order-fixture.ts";
import { closeAsLogged, placedOrders, restoreServices } from "./placed-orders.ts";

const fixture = await openFixture();
const { place, read, settled, shipped } = placedOrders(fixture);
afterEach(() => restoreServices(fixture));
afterAll(() => closeAsLogged(fixture));

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
