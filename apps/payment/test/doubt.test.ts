import { Payment_Attention_Reason, Payment_Status } from "@rialto/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FollowUpRequest, PaymentProvider, ProviderOutcome } from "../src/provider/provider.ts";
import {
  admin,
  as,
  authorization,
  customerId,
  type Fixture,
  fromOrder,
  openFixture,
  type Process,
  refusal,
} from "./payment-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const authorize = (asked: ReturnType<typeof authorization>, calls = fixture.calls) =>
  calls.authorizePayment(asked, fromOrder());
const statusOf = async (orderId: string) => (await fixture.store.byOrder(orderId))?.status;

/**
 * A provider whose process ends at one point of an effect: before it reaches the network, or with the answer in hand.
 */
function dyingAt(point: "before" | "after", effect: "authorize" | "capture" | "void" | "refund") {
  return (provider: PaymentProvider): PaymentProvider => ({
    ...provider,
    [effect]: async (...asked: Parameters<PaymentProvider["capture"]>) => {
      // An authorization's request only has more in it.
      if (point === "after") await (provider[effect] as PaymentProvider["capture"])(...asked);
      throw new Error("the process died");
    },
  });
}

describe("a card whose outcome is unknown", () => {
  it("is charged once: the retry finds the charge", async () => {
    const asked = authorization({ method: "pm_test_unknown_outcome" });
    expect(await refusal(authorize(asked))).toBe("PROVIDER_UNAVAILABLE");
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
    const { payment } = await authorize(asked);
    expect(payment?.status).toBe(Payment_Status.AUTHORIZED);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
  });

  it("holds nothing after a void, which finds the charge as well", async () => {
    const asked = authorization({ method: "pm_test_unknown_outcome" });
    expect(await refusal(authorize(asked))).toBe("PROVIDER_UNAVAILABLE");
    expect(await refusal(fixture.calls.voidPayment({ orderId: asked.orderId }, fromOrder()))).toBe(
      "PROVIDER_UNAVAILABLE",
    );
    await fixture.calls.voidPayment({ orderId: asked.orderId }, fromOrder());
    expect(await statusOf(asked.orderId)).toBe("VOIDED");
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500", "VOID 500"]);
    expect(await refusal(authorize(asked))).toBe("PAYMENT_VOIDED");
  });
});

describe("a refund whose outcome is unknown", () => {
  /** A payment of 500 whose money was taken, and whose card loses the first answer to each request. */
  async function captured() {
    const asked = authorization({ method: "pm_test_unknown_outcome" });
    await refusal(authorize(asked));
    await authorize(asked);
    const capture = () => fixture.calls.capturePayment({ orderId: asked.orderId }, fromOrder());
    await refusal(capture());
    const { payment } = await capture();
    return { orderId: asked.orderId, id: payment?.id ?? "" };
  }

  it("of a part is paid once: the retry with its key finds it", async () => {
    const { orderId, id } = await captured();
    const request = { id, amount: { currencyCode: "EUR", minorUnits: 70n } };
    const origin = admin();
    const key = { idempotencyKey: "a-refund-of-70" };
    expect(await refusal(fixture.gateway.refundPayment(request, origin))).toBe("REFUND_KEY_REQUIRED");
    expect(await refusal(fixture.gateway.refundPayment(request, origin, key))).toBe("PROVIDER_UNAVAILABLE");
    const { payment } = await fixture.gateway.refundPayment(request, origin, key);
    expect(payment?.refunded?.minorUnits).toBe(70n);
    expect(await fixture.ledger(orderId)).toEqual(["AUTHORIZE 500", "CAPTURE 500", "REFUND 70"]);
  });

  it("of all that is left is paid once without a key too: there is nothing left for the retry", async () => {
    const { orderId, id } = await captured();
    expect(await refusal(fixture.gateway.refundPayment({ id }, admin()))).toBe("PROVIDER_UNAVAILABLE");
    expect(await refusal(fixture.gateway.refundPayment({ id }, admin()))).toBe("REFUND_TOO_LARGE");
    expect(await statusOf(orderId)).toBe("REFUNDED");
    expect(await fixture.ledger(orderId)).toEqual(["AUTHORIZE 500", "CAPTURE 500", "REFUND 500"]);
  });
});

describe("a refund that is refused after its caller got no answer", () => {
  const waiting = async () =>
    (await fixture.gateway.listPayments({ attention: true, pageSize: 200 }, admin())).payments;

  async function refusedLate() {
    const asked = authorization();
    await authorize(asked);
    const { payment } = await fixture.calls.capturePayment({ orderId: asked.orderId }, fromOrder());
    const id = payment?.id ?? "";
    let asks = 0;
    const process = fixture.start((provider) => ({
      ...provider,
      refund: async () => ({ kind: "UNKNOWN", cause: "a test" }),
      async find() {
        asks += 1;
        return { kind: "DECLINED", code: "account_closed" };
      },
    }));
    expect(await refusal(process.gateway.refundPayment({ id }, admin()))).toBe("PROVIDER_UNAVAILABLE");
    expect(asks).toBe(0);
    await fixture.passTime(60_000);
    await process.operations.finishStalled(new AbortController().signal);
    return { id, orderId: asked.orderId };
  }

  it("waits for a person, who sees why, and takes the mark off", async () => {
    const { id } = await refusedLate();
    const found = (await waiting()).find((payment) => payment.id === id);
    expect(found?.attention).toMatchObject({
      reason: Payment_Attention_Reason.REFUND_REFUSED,
      detail: "account_closed",
      since: expect.anything(),
    });
    const { payment } = await fixture.gateway.resolvePaymentAttention({ id, reason: "paid by transfer" }, admin());
    expect(payment?.attention).toBeUndefined();
    expect((await waiting()).map((one) => one.id)).not.toContain(id);
    // To say it twice is to say it once.
    await fixture.gateway.resolvePaymentAttention({ id }, admin());
    expect(await refusal(fixture.gateway.resolvePaymentAttention({ id }, as("CUSTOMER", customerId)))).toBe(
      "ACCESS_DENIED",
    );
  });

  it("waits no more once the refund is tried again", async () => {
    const { id, orderId } = await refusedLate();
    await fixture.gateway.refundPayment({ id }, admin());
    expect((await waiting()).map((one) => one.id)).not.toContain(id);
    expect(await statusOf(orderId)).toBe("REFUNDED");
  });

  it("needs no person where its caller got the answer", async () => {
    const asked = authorization();
    await authorize(asked);
    const { payment } = await fixture.calls.capturePayment({ orderId: asked.orderId }, fromOrder());
    const id = payment?.id ?? "";
    const process = fixture.start((provider) => ({
      ...provider,
      refund: async () => ({ kind: "DECLINED", code: "account_closed" }),
    }));
    expect(await refusal(process.gateway.refundPayment({ id }, admin()))).toBe("REFUND_REFUSED");
    expect((await waiting()).map((one) => one.id)).not.toContain(id);
  });
});

describe("a void that is refused while the authorization is in doubt", () => {
  it("is reported to its caller, once for each request, and leaves no operation to repeat for ever", async () => {
    const asked = authorization();
    const inDoubt = fixture.start((provider) => ({
      ...provider,
      authorize: async () => ({ kind: "UNKNOWN", cause: "a test" }),
      void: async () => ({ kind: "DECLINED", code: "no_such_authorization" }),
    }));
    expect(await refusal(authorize(asked, inDoubt.calls))).toBe("PROVIDER_UNAVAILABLE");
    const letGo = (process: Process) => refusal(process.calls.voidPayment({ orderId: asked.orderId }, fromOrder()));
    expect(await letGo(inDoubt)).toBe("VOID_REFUSED");
    expect(await letGo(inDoubt)).toBe("VOID_REFUSED");
    expect(await refusal(authorize(asked))).toBe("VOID_REFUSED");
    expect((await fixture.store.byOrder(asked.orderId))?.operation).toBeUndefined();
    expect(await letGo(fixture)).toBe("none");
    expect(await statusOf(asked.orderId)).toBe("VOIDED");
  });
});

describe("a slow card", () => {
  it("is authorized when its result arrives, without anybody asking again", async () => {
    const asked = authorization({ method: "pm_test_slow" });
    expect(await refusal(authorize(asked))).toBe("PROVIDER_UNAVAILABLE");
    expect(await statusOf(asked.orderId)).toBe("PENDING");
    await expect.poll(() => statusOf(asked.orderId)).toBe("AUTHORIZED");
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
    expect((await authorize(asked)).payment?.status).toBe(Payment_Status.AUTHORIZED);
  });

  it("stays let go where the void came while its answer was on the way", async () => {
    const asked = authorization({ method: "pm_test_slow" });
    expect(await refusal(authorize(asked))).toBe("PROVIDER_UNAVAILABLE");
    await refusal(fixture.calls.voidPayment({ orderId: asked.orderId }, fromOrder()));
    await expect.poll(() => statusOf(asked.orderId)).toBe("VOIDED");
    expect(await fixture.money(asked.orderId)).toEqual({ kept: 0n, held: false });
  });
});

describe("a capture that the network refuses", () => {
  const refused: ProviderOutcome = { kind: "DECLINED", code: "do_not_honor" };
  const capture = (process: Process, orderId: string, attempt: number) =>
    refusal(process.calls.capturePayment({ orderId, attempt }, fromOrder()));

  it("is refused to all who ask for that attempt, at once or late: none of them takes the money", async () => {
    const asked = authorization();
    await authorize(asked);
    const reached = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    let first: string | undefined;
    // The network refuses the first capture and would approve the next one.
    const refusing = (slow: boolean) => (provider: PaymentProvider) => ({
      ...provider,
      async capture(request: FollowUpRequest, signal: AbortSignal) {
        first ??= request.key;
        if (request.key !== first) return provider.capture(request, signal);
        reached.resolve();
        if (slow) await answered.promise;
        return refused;
      },
      find: async (key: string, signal: AbortSignal) => (key === first ? refused : provider.find(key, signal)),
    });
    const [slow, quick] = [fixture.start(refusing(true)), fixture.start(refusing(false))];
    const one = capture(slow, asked.orderId, 4);
    await reached.promise;
    expect(await capture(quick, asked.orderId, 4)).toBe("CAPTURE_REFUSED");
    answered.resolve();
    expect(await one).toBe("CAPTURE_REFUSED");
    expect(await capture(quick, asked.orderId, 4)).toBe("CAPTURE_REFUSED");
    expect(await statusOf(asked.orderId)).toBe("AUTHORIZED");
    expect(await capture(quick, asked.orderId, 6)).toBe("none");
    expect(await statusOf(asked.orderId)).toBe("CAPTURED");
  });

  it("that comes after the timeout is reported to the next request, and asked of the network once", async () => {
    const asked = authorization();
    await authorize(asked);
    const keys = new Set<string>();
    const silent = fixture.start((provider) => ({
      ...provider,
      async capture({ key }) {
        keys.add(key);
        return { kind: "UNKNOWN", cause: "no answer in time" };
      },
      find: async () => ({ kind: "UNKNOWN", cause: "not decided yet" }),
    }));
    expect(await capture(silent, asked.orderId, 4)).toBe("PROVIDER_UNAVAILABLE");
    for (const key of keys) await silent.operations.recordLate({ key, answer: refused });
    expect(await capture(silent, asked.orderId, 4)).toBe("CAPTURE_REFUSED");
    expect(keys.size).toBe(1);
  });
});

describe("a backup of the service's tables that is older than a capture", () => {
  it("finds the money again when the order asks again, and can give it back", async () => {
    const asked = authorization();
    await authorize(asked);
    const again = () => fixture.calls.capturePayment({ orderId: asked.orderId, attempt: 4 }, fromOrder());
    const { payment } = await again();
    const id = payment?.id ?? "";
    await fixture.superuser`delete from payment.payment_event where subject_id = ${id} and version > 2`;
    await fixture.superuser`update payment.payment set version = 2, status = 'AUTHORIZED', captured = 0 where id = ${id}`;
    expect((await again()).payment?.status).toBe(Payment_Status.CAPTURED);
    await fixture.gateway.refundPayment({ id }, admin());
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500", "CAPTURE 500", "REFUND 500"]);
  });
});

describe("a card network that cannot be reached", () => {
  it("is tried again until it works, also by another process", async () => {
    const asked = authorization({ method: "pm_test_unreachable" });
    expect(await refusal(authorize(asked))).toBe("PROVIDER_UNAVAILABLE");
    expect(await refusal(authorize(asked, fixture.start().calls))).toBe("PROVIDER_UNAVAILABLE");
    expect(await fixture.ledger(asked.orderId)).toEqual([]);
    expect((await authorize(asked)).payment?.status).toBe(Payment_Status.AUTHORIZED);
    expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
  });
});

describe("an unknown payment method", () => {
  it.each(["pm_test_nothing", "constructor", "tok_visa"])("is declined: %s", async (method) => {
    const asked = authorization({ method });
    await expect(authorize(asked)).rejects.toMatchObject({ metadata: { decline_code: "invalid_payment_method" } });
  });
});

describe("a process that dies in the middle", () => {
  it.each(["before", "after"] as const)(
    "%s the card is asked leaves an authorization that the next call finishes",
    async (point) => {
      const asked = authorization();
      await refusal(authorize(asked, fixture.start(dyingAt(point, "authorize")).calls));
      expect(await statusOf(asked.orderId)).toBe("PENDING");
      expect((await authorize(asked)).payment?.status).toBe(Payment_Status.AUTHORIZED);
      expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500"]);
    },
  );

  it.each(["before", "after"] as const)(
    "%s the capture leaves it to the sweeper, which takes the money once",
    async (point) => {
      const asked = authorization();
      await authorize(asked);
      const dying = fixture.start(dyingAt(point, "capture"));
      await refusal(dying.calls.capturePayment({ orderId: asked.orderId }, fromOrder()));
      expect(await statusOf(asked.orderId)).toBe("AUTHORIZED");
      await fixture.passTime(60_000);
      await fixture.operations.finishStalled(new AbortController().signal);
      expect(await statusOf(asked.orderId)).toBe("CAPTURED");
      expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500", "CAPTURE 500"]);
    },
  );

  it.each(["before", "after"] as const)(
    "%s a refund gives back once, and the same key has its answer",
    async (point) => {
      const asked = authorization();
      await authorize(asked);
      const { payment } = await fixture.calls.capturePayment({ orderId: asked.orderId }, fromOrder());
      const request = { id: payment?.id ?? "", amount: { currencyCode: "EUR", minorUnits: 70n } };
      const origin = admin();
      const key = { idempotencyKey: `refund-${point}` };
      const dying = fixture.start(dyingAt(point, "refund"));
      await refusal(dying.gateway.refundPayment(request, origin, key));
      const answer = await fixture.gateway.refundPayment(request, origin, key);
      expect(answer.payment?.refunded?.minorUnits).toBe(70n);
      expect(await fixture.ledger(asked.orderId)).toEqual(["AUTHORIZE 500", "CAPTURE 500", "REFUND 70"]);
    },
  );

  it("before it asked the card cannot charge it later, when the order was called off meanwhile", async () => {
    const asked = authorization();
    let wake = () => {};
    const frozen = fixture.start((provider) => ({
      ...provider,
      async authorize(request) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        return provider.authorize(request, AbortSignal.timeout(5_000));
      },
    }));
    const late = refusal(authorize(asked, frozen.calls));
    await expect.poll(() => statusOf(asked.orderId)).toBe("PENDING");
    await fixture.calls.voidPayment({ orderId: asked.orderId }, fromOrder());
    wake();
    expect(await late).toBe("PAYMENT_VOIDED");
    expect(await fixture.money(asked.orderId)).toEqual({ kept: 0n, held: false });
  });
});

describe("the sweeper", () => {
  it("finishes what stands behind operations that always fail, however many they are", async () => {
    const behind = authorization();
    const unanswered = new Set<string>();
    const dead = (provider: PaymentProvider): PaymentProvider => ({
      ...provider,
      async authorize(request) {
        unanswered.add(request.key);
        return { kind: "UNKNOWN", cause: "a test" };
      },
      find: async (key, signal) =>
        unanswered.has(key) ? { kind: "UNKNOWN", cause: "a test" } : provider.find(key, signal),
    });
    const stuck = fixture.start(dead);
    // As many as the sweeper takes at a time, and some.
    for (let n = 0; n < 210; n++)
      expect(await refusal(authorize(authorization(), stuck.calls))).toBe("PROVIDER_UNAVAILABLE");
    await refusal(authorize(behind, fixture.start(dyingAt("before", "authorize")).calls));
    await fixture.passTime(60_000);
    const sweeping = fixture.start((provider) => ({ ...dead(provider), authorize: provider.authorize }));
    await sweeping.operations.finishStalled(new AbortController().signal);
    await sweeping.operations.finishStalled(new AbortController().signal);
    expect(await statusOf(behind.orderId)).toBe("AUTHORIZED");
  });
});
