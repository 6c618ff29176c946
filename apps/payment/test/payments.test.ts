import { Payment_Status } from "@rialto/contracts";
import { nextPageToken } from "@rialto/rpc";
import { repeatWhileInUse } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authorizationKey } from "../src/payment/transitions.ts";
import {
  admin,
  as,
  authorization,
  customerId,
  type Fixture,
  fromOrder,
  openFixture,
  refusal,
} from "./payment-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const authorize = (asked: ReturnType<typeof authorization>) => fixture.calls.authorizePayment(asked, fromOrder());
const capture = (orderId: string, attempt = 1) => fixture.calls.capturePayment({ orderId, attempt }, fromOrder());
const letGo = (orderId: string) => fixture.calls.voidPayment({ orderId }, fromOrder());

async function captured(o: Parameters<typeof authorization>[0] = {}) {
  const asked = authorization(o);
  await authorize(asked);
  const { payment } = await capture(asked.orderId);
  if (payment === undefined) throw new Error("no payment");
  return { orderId: asked.orderId, id: payment.id };
}

describe("AuthorizePayment", () => {
  it("holds the amount once, however often it is asked for", async () => {
    const asked = authorization();
    const first = await authorize(asked);
    const second = await authorize(asked);
    expect(first.payment).toMatchObject({
      status: Payment_Status.AUTHORIZED,
      orderId: asked.orderId,
      amount: asked.amount,
    });
    expect(second).toEqual(first);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
  });

  it("holds the amount once for many who ask at the same time, and answers all the same", async () => {
    const asked = authorization();
    const other = fixture.start();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? fixture : other).calls.authorizePayment(asked, fromOrder())),
    );
    expect(new Set(answers.map(({ payment }) => payment?.id)).size).toBe(1);
    expect(answers.every(({ payment }) => payment?.status === Payment_Status.AUTHORIZED)).toBe(true);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
  });

  it.each([
    ["another amount", { minorUnits: 501n }],
    ["another payment method", { method: "pm_test_declined" }],
    ["another customer", { userId: uuidv7() }],
  ])("refuses %s for the same order", async (_, change) => {
    const { orderId } = authorization();
    await authorize(authorization({ orderId }));
    expect(await refusal(authorize(authorization({ orderId, ...change })))).toBe("PAYMENT_MISMATCH");
    expect(await fixture.ledger(orderId)).toEqual(["AUTHORIZE 500"]);
  });

  it("finds the payment that an earlier version made under an id of its own", async () => {
    const asked = authorization();
    const { orderId, userId, paymentMethod, amount } = asked;
    const money = { amount: amount.minorUnits, currency: amount.currencyCode };
    const by = { actor: "service:order", reason: "", traceparent: "" };
    const operation = { kind: "AUTHORIZE", key: authorizationKey(orderId), amount: money.amount, ...by } as const;
    const event = { kind: "AUTHORIZATION_STARTED", orderId, userId, paymentMethod, ...money, operation } as const;
    const id = uuidv7();
    await fixture.store.commit({ id, before: undefined, event, time: new Date(), ...by });
    expect((await authorize(asked)).payment).toMatchObject({ id, orderId, status: Payment_Status.AUTHORIZED });
    expect(await fixture.ledger(orderId)).toEqual(["AUTHORIZE 500"]);
  });

  it("reports why a card was declined, also to a repeated request", async () => {
    const asked = authorization({ method: "pm_test_insufficient_funds" });
    for (let time = 0; time < 2; time++) {
      await expect(authorize(asked)).rejects.toMatchObject({
        reason: "PAYMENT_DECLINED",
        code: "failed_precondition",
        metadata: { decline_code: "insufficient_funds" },
      });
    }
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE DECLINED"]);
    const { payments } = await fixture.gateway.listPayments({ orderId: asked.orderId }, admin());
    expect(payments[0]).toMatchObject({ status: Payment_Status.DECLINED, declineCode: "insufficient_funds" });
  });
});

describe("CapturePayment", () => {
  it("takes the money once, however often and by how many it is asked for", async () => {
    const asked = authorization();
    await authorize(asked);
    const other = fixture.start();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        (n % 2 === 0 ? fixture : other).calls.capturePayment({ orderId: asked.orderId }, fromOrder()),
      ),
    );
    answers.push(await capture(asked.orderId));
    expect(answers.every(({ payment }) => payment?.status === Payment_Status.CAPTURED)).toBe(true);
    expect(answers[0]?.payment?.captured?.minorUnits).toBe(500n);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500", "CAPTURE 500"]);
  });

  it("is refused where nothing is held", async () => {
    expect(await refusal(capture(uuidv7()))).toBe("PAYMENT_NOT_FOUND");
    const declined = authorization({ method: "pm_test_declined" });
    await refusal(authorize(declined));
    expect(await refusal(capture(declined.orderId))).toBe("PAYMENT_DECLINED");
    const voided = authorization();
    await authorize(voided);
    await letGo(voided.orderId);
    expect(await refusal(capture(voided.orderId))).toBe("PAYMENT_VOIDED");
  });

  it.each([
    ["pm_test_capture_refused", "CAPTURE_REFUSED"],
    ["pm_test_authorization_expired", "AUTHORIZATION_EXPIRED"],
  ])("of %s is refused with %s once for each attempt, and what is held can still be let go", async (method, reason) => {
    const asked = authorization({ method });
    await authorize(asked);
    for (const attempt of [1, 1, 2, 1]) expect(await refusal(capture(asked.orderId, attempt))).toBe(reason);
    await letGo(asked.orderId);
    expect(await fixture.ledger(asked.orderId)).toEqual([
      "AUTHORIZE 500",
      "CAPTURE DECLINED",
      "CAPTURE DECLINED",
      "VOID 500",
    ]);
  });
});

describe("VoidPayment", () => {
  it("lets go of what is held, once", async () => {
    const asked = authorization();
    await authorize(asked);
    await letGo(asked.orderId);
    await letGo(asked.orderId);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500", "VOID 500"]);
  });

  it("that comes before its authorization refuses it", async () => {
    const asked = authorization();
    await letGo(asked.orderId);
    expect(await refusal(authorize(asked))).toBe("PAYMENT_VOIDED");
    await letGo(asked.orderId);
    expect(await fixture.ledger(asked.orderId)).toEqual([]);
  });

  it("of a declined payment has nothing to do", async () => {
    const asked = authorization({ method: "pm_test_declined" });
    await refusal(authorize(asked));
    await letGo(asked.orderId);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE DECLINED"]);
  });

  it("of captured money is refused", async () => {
    const { orderId } = await captured();
    expect(await refusal(letGo(orderId))).toBe("PAYMENT_CAPTURED");
    expect(await fixture.money(orderId)).toEqual({ kept: 500n, held: false });
  });

  it("and a capture at the same moment never both happen", async () => {
    for (let round = 0; round < 10; round++) {
      const asked = authorization();
      await authorize(asked);
      const [taken, gone] = await Promise.all([refusal(capture(asked.orderId)), refusal(letGo(asked.orderId))]);
      expect([`${taken} ${gone}`]).toContainEqual(
        expect.stringMatching(/^(none PAYMENT_CAPTURED|PAYMENT_VOIDED none)$/),
      );
      expect(await fixture.money(asked.orderId)).toEqual({ kept: taken === "none" ? 500n : 0n, held: false });
    }
  });
});

describe("RefundPayment", () => {
  /** Another refund each time: a part has a key of its own. */
  const refund = (id: string, minorUnits?: bigint, currencyCode = "EUR") =>
    minorUnits === undefined
      ? fixture.gateway.refundPayment({ id }, admin())
      : fixture.gateway.refundPayment({ id, amount: { currencyCode, minorUnits } }, admin(), {
          idempotencyKey: uuidv7(),
        });

  it("gives back a part, then all that is left", async () => {
    const { id, orderId } = await captured();
    const part = await refund(id, 120n);
    expect(part.payment).toMatchObject({ status: Payment_Status.CAPTURED, refunded: { minorUnits: 120n } });
    const rest = await refund(id);
    expect(rest.payment).toMatchObject({ status: Payment_Status.REFUNDED, refunded: { minorUnits: 500n } });
    expect(await refusal(refund(id))).toBe("REFUND_TOO_LARGE");
    expect(await fixture.money(orderId)).toEqual({ kept: 0n, held: false });
  });

  it("gives back once for one Idempotency-Key and answers the same, also when more was given back meanwhile", async () => {
    const { id, orderId } = await captured();
    const origin = admin();
    const key = { idempotencyKey: uuidv7() };
    const asked = { id, amount: { currencyCode: "EUR", minorUnits: 100n } };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => repeatWhileInUse(() => fixture.gateway.refundPayment(asked, origin, key))),
    );
    await refund(id, 50n);
    answers.push(await fixture.gateway.refundPayment(asked, origin, key));
    expect(new Set(answers.map(({ payment }) => payment?.refunded?.minorUnits))).toEqual(new Set([100n]));
    expect(await fixture.money(orderId)).toEqual({ kept: 350n, held: false });
  });

  it.each([70n, 500n])("of %s, an amount, is refused without an Idempotency-Key, and says so", async (minorUnits) => {
    const { id, orderId } = await captured();
    const request = { id, amount: { currencyCode: "EUR", minorUnits } };
    await expect(fixture.gateway.refundPayment(request, admin())).rejects.toMatchObject({
      reason: "REFUND_KEY_REQUIRED",
      code: "invalid_argument",
      message: expect.stringContaining("Idempotency-Key"),
      fields: [{ field: "amount" }],
    });
    expect(await fixture.money(orderId)).toEqual({ kept: 500n, held: false });
  });

  it("refuses a key that was used with another refund", async () => {
    const { id, orderId } = await captured();
    const origin = admin();
    const key = { idempotencyKey: uuidv7() };
    await fixture.gateway.refundPayment({ id, amount: { currencyCode: "EUR", minorUnits: 100n } }, origin, key);
    const other = fixture.gateway.refundPayment({ id, amount: { currencyCode: "EUR", minorUnits: 101n } }, origin, key);
    expect(await refusal(other)).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await fixture.money(orderId)).toEqual({ kept: 400n, held: false });
  });

  it("never gives back more than was taken, by how many it is asked for", async () => {
    const { id, orderId } = await captured();
    const outcomes = await Promise.all(Array.from({ length: 9 }, () => refusal(refund(id, 120n))));
    expect(outcomes.filter((outcome) => outcome === "none")).toHaveLength(4);
    expect(outcomes.filter((outcome) => outcome === "REFUND_TOO_LARGE")).toHaveLength(5);
    expect(await fixture.money(orderId)).toEqual({ kept: 20n, held: false });
  });

  it("is refused in another currency, beyond what is left, and where nothing was taken", async () => {
    const { id } = await captured();
    expect(await refusal(refund(id, 1n, "USD"))).toBe("PAYMENT_MISMATCH");
    expect(await refusal(refund(id, 501n))).toBe("REFUND_TOO_LARGE");
    expect(await refusal(refund(uuidv7()))).toBe("PAYMENT_NOT_FOUND");
    const held = await authorize(authorization());
    expect(await refusal(refund(held.payment?.id ?? ""))).toBe("PAYMENT_NOT_CAPTURED");
  });
});

describe("reading payments", () => {
  it("shows a customer their own and hides everybody else's", async () => {
    const { id, orderId } = await captured();
    const mine = await fixture.gateway.getPayment({ id }, as("CUSTOMER", customerId));
    expect(mine.payment?.orderId).toBe(orderId);
    const stranger = as("CUSTOMER", uuidv7());
    expect(await refusal(fixture.gateway.getPayment({ id }, stranger))).toBe("PAYMENT_NOT_FOUND");
    expect((await fixture.gateway.listPayments({ orderId }, stranger)).payments).toEqual([]);
    expect((await fixture.calls.listPayments({ orderId }, fromOrder())).payments).toHaveLength(1);
  });

  it("pages newest first, without a repetition", async () => {
    const userId = uuidv7();
    for (let n = 0; n < 5; n++) await authorize(authorization({ userId }));
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await fixture.gateway.listPayments({ pageSize: 2, pageToken }, as("CUSTOMER", userId));
      ids.push(...page.payments.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(ids).toHaveLength(5);
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
  });

  it("takes no page token that somebody else made", async () => {
    const pageToken = nextPageToken(["made up"], { orderId: undefined, userId: customerId });
    const list = fixture.gateway.listPayments({ pageToken }, as("CUSTOMER", customerId));
    expect(await refusal(list)).toBe("PAGE_TOKEN_INVALID");
  });
});
