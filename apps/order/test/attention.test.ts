import { randomUUID } from "node:crypto";
import { Attention_Reason, Order_PendingAction, Order_Status } from "@rialto/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusal } from "./fake-services.ts";
import { asAdmin, asCustomer, type Fixture, newKey, openFixture, refusalOf } from "./order-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

/** How an order comes to wait for each reason, and which of an admin's calls bring it on. */
const reasons = [
  { reason: "CAPTURE_REFUSED", asked: "ship", method: "capturePayment", answer: "CAPTURE_REFUSED", shipsAgain: true },
  {
    reason: "AUTHORIZATION_EXPIRED",
    asked: "ship",
    method: "capturePayment",
    answer: "AUTHORIZATION_EXPIRED",
    shipsAgain: true,
  },
  { reason: "STOCK_LOST", asked: "ship", method: "commitStock", answer: "RESERVATION_NOT_FOUND", shipsAgain: true },
  {
    reason: "COMPENSATION_FAILED",
    asked: "cancel",
    method: "voidPayment",
    answer: "PAYMENT_CAPTURED",
    shipsAgain: false,
  },
  { reason: "COMPENSATION_FAILED", asked: "cancel", method: "voidPayment", answer: "VOID_REFUSED", shipsAgain: false },
] as const;

describe.each(reasons)(
  "an order that waits for a person: $reason, $answer",
  ({ reason, asked, method, answer, shipsAgain }) => {
    async function waiting() {
      const customer = fixture.customer();
      const items = [{ productId: fixture.product(), quantity: 2 }];
      const { order } = await fixture.gateway.createOrder(
        { items, paymentMethod: "pm_test_approved" },
        asCustomer(customer),
        newKey(),
      );
      const id = order?.id ?? "";
      await fixture.deliver(id);
      fixture.outside.interference = {
        before(called, orderId) {
          if (called === method && orderId === id) throw refusal(answer);
        },
      };
      await (asked === "ship"
        ? fixture.gateway.shipOrder({ id }, asAdmin())
        : fixture.gateway.cancelOrder({ id }, asAdmin()));
      await fixture.deliver(id);
      fixture.outside.interference = {};
      return { id, customer };
    }

    const idsIn = async (filter: Parameters<Fixture["gateway"]["listOrders"]>[0], as = asAdmin()) =>
      (await fixture.gateway.listOrders({ pageSize: 200, ...filter }, as)).orders.map((order) => order.id);
    const read = async (id: string) => (await fixture.gateway.getOrder({ id }, asAdmin())).order;

    it("is listed with its reason and time, and in no other customer's list", async () => {
      const { id, customer } = await waiting();
      expect((await read(id))?.attention).toMatchObject({
        reason: Attention_Reason[reason],
        detail: answer,
        since: expect.anything(),
      });
      expect(await idsIn({ attention: true })).toContain(id);
      expect(await idsIn({ attention: true, userId: customer })).toEqual([id]);
      expect(await idsIn({ attention: true, userId: customer, status: Order_Status.CONFIRMED })).toEqual([id]);
      expect(await idsIn({ attention: true, userId: customer, status: Order_Status.SHIPPED })).toEqual([]);
      expect(await idsIn({ attention: true }, asCustomer(customer))).toEqual([id]);
      expect(await idsIn({ attention: true }, asCustomer(fixture.customer()))).toEqual([]);
      expect(await idsIn({ attention: true, userId: randomUUID() })).toEqual([]);
    });

    it(shipsAgain ? "is resumed by ShipOrder" : "cannot be shipped any more", async () => {
      const { id, customer } = await waiting();
      if (!shipsAgain) {
        expect((await refusalOf(fixture.gateway.shipOrder({ id }, asAdmin()))).reason).toBe("CANCELLATION_REQUESTED");
        return;
      }
      const { order } = await fixture.gateway.shipOrder({ id }, asAdmin());
      expect(order).toMatchObject({ pendingAction: Order_PendingAction.SHIP });
      expect(order?.attention).toBeUndefined();
      await fixture.deliver(id);
      expect(await read(id)).toMatchObject({ status: Order_Status.SHIPPED, captured: { minorUnits: 2500n } });
      expect(fixture.outside.holdings(id)).toEqual({ reservation: "COMMITTED", payment: "CAPTURED" });
      expect(await idsIn({ attention: true, userId: customer })).toEqual([]);
    });

    it("is settled by an admin's CancelOrder, once no money is held; a customer's leaves it to the person", async () => {
      const { id, customer } = await waiting();
      await (asked === "ship"
        ? refusalOf(fixture.gateway.cancelOrder({ id }, asCustomer(customer)))
        : fixture.gateway.cancelOrder({ id }, asCustomer(customer)));
      expect(await idsIn({ attention: true, userId: customer })).toEqual([id]);
      const { captured, total } = (await read(id)) ?? {};
      if (captured?.minorUnits === total?.minorUnits) await fixture.refund(id, { captured: 2500n, refunded: 2500n });
      await fixture.gateway.cancelOrder({ id, reason: "given up" }, asAdmin());
      await fixture.deliver(id);
      expect(await read(id)).toMatchObject({ status: Order_Status.CANCELLED });
      expect((await read(id))?.attention).toBeUndefined();
      expect(fixture.outside.holdings(id).reservation).toBe("RELEASED");
      expect(await idsIn({ attention: true, userId: customer })).toEqual([]);
      const { events } = await fixture.gateway.listOrderEvents({ orderId: id }, asAdmin());
      expect(events.findLast(({ reason: why }) => why !== "")).toMatchObject({ reason: "given up" });
    });
  },
);

describe("an order whose payment has other figures", () => {
  it("waits for a person, and cancelling it undoes what was held for it", async () => {
    const customer = fixture.customer();
    const items = [{ productId: fixture.product(), quantity: 2 }];
    const placed = await fixture.gateway.createOrder(
      { items, paymentMethod: "pm_test_approved" },
      asCustomer(customer),
      newKey(),
    );
    const id = placed.order?.id ?? "";
    fixture.outside.interference = {
      // The payment that is there already: it holds money.
      after(called, orderId) {
        if (called === "authorizePayment" && orderId === id) throw refusal("PAYMENT_MISMATCH");
      },
    };
    await fixture.deliver(id);
    fixture.outside.interference = {};
    const { order } = await fixture.gateway.getOrder({ id }, asAdmin());
    expect(order).toMatchObject({ status: Order_Status.STOCK_RESERVED });
    expect(order?.attention).toMatchObject({
      reason: Attention_Reason.COMPENSATION_FAILED,
      detail: "PAYMENT_MISMATCH",
    });
    expect(fixture.outside.holdings(id)).toEqual({ reservation: "RESERVED", payment: "AUTHORIZED" });
    await fixture.gateway.cancelOrder({ id, reason: "a defect" }, asAdmin());
    await fixture.deliver(id);
    expect((await fixture.gateway.getOrder({ id }, asAdmin())).order).toMatchObject({ status: Order_Status.CANCELLED });
    expect(fixture.outside.holdings(id)).toEqual({ reservation: "RELEASED", payment: "VOIDED" });
  });
});
