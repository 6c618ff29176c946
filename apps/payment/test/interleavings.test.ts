import fc from "fast-check";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apply } from "../src/payment/log.ts";
import { eventOf } from "../src/payment/row.ts";
import type { Payment, PaymentEvent } from "../src/payment/state.ts";
import { admin, authorization, fromOrder, openWorld, refusal, type World } from "./payment-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const runs = 40;

type Command =
  | { readonly kind: "authorize" | "capture" | "void" }
  | { readonly kind: "refund"; readonly minorUnits: bigint | undefined };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.constantFrom<Command>({ kind: "authorize" }, { kind: "capture" }, { kind: "void" }),
  fc.record({ kind: fc.constant("refund" as const), minorUnits: fc.option(fc.bigInt(1n, 600n), { nil: undefined }) }),
);
/** Those of one group run at the same time; one group after the other. */
const story = fc.array(fc.array(command, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
const card = fc.constantFrom("pm_test_approved", "pm_test_capture_refused", "pm_test_unreachable", "pm_test_declined");

const foreseen = [
  "none",
  "AUTHORIZATION_EXPIRED",
  "CAPTURE_REFUSED",
  "PAYMENT_CAPTURED",
  "PAYMENT_DECLINED",
  "PAYMENT_NOT_CAPTURED",
  "PAYMENT_NOT_FOUND",
  "PAYMENT_VOIDED",
  "PROVIDER_UNAVAILABLE",
  "REFUND_TOO_LARGE",
];

describe("any interleaving of authorize, capture, void and refund", () => {
  it("leaves the payment, its log and the network's ledger telling the same", async () => {
    await fc.assert(
      fc.asyncProperty(story, card, async (groups, method) => {
        const asked = authorization({ method, orderId: uuidv7() });
        for (const group of groups) {
          const refused = await Promise.all(group.map((one) => refusal(run(one, asked))));
          expect(foreseen).toEqual(expect.arrayContaining(refused));
        }
        // The unreachable card needs a few tries.
        for (let sweep = 0; sweep < 4; sweep++) {
          await world.passTime(60_000);
          await world.operations.sweep(new AbortController().signal);
        }
        await expectAgreement(asked.orderId);
      }),
      { numRuns: runs },
    );
  });
});

async function run(one: Command, asked: ReturnType<typeof authorization>): Promise<unknown> {
  const { orderId } = asked;
  switch (one.kind) {
    case "authorize":
      return world.calls.authorizePayment(asked, fromOrder());
    case "capture":
      return world.calls.capturePayment({ orderId }, fromOrder());
    case "void":
      return world.calls.voidPayment({ orderId }, fromOrder());
    case "refund": {
      const id = (await world.store.byOrder(orderId))?.id ?? uuidv7();
      if (one.minorUnits === undefined) return world.door.refundPayment({ id }, admin());
      const amount = { currencyCode: "EUR", minorUnits: one.minorUnits };
      return world.door.refundPayment({ id, amount }, admin(), { idempotencyKey: uuidv7() });
    }
  }
}

async function expectAgreement(orderId: string): Promise<void> {
  const payment = await world.store.byOrder(orderId);
  const { kept, held } = await world.money(orderId);
  expect(kept).toBe((payment?.captured ?? 0n) - (payment?.refunded ?? 0n));
  expect(payment?.operation).toBeUndefined();
  expect(held).toBe(payment?.status === "AUTHORIZED");
  if (payment !== undefined) expect(await folded(payment.id)).toEqual(payment);
}

/** The payment as its log tells it. */
async function folded(id: string): Promise<Payment | undefined> {
  const rows = await world.database.sql<{ type: string; payload: never; time: Date }[]>`
    select type, payload, time from payment_event where subject_id = ${id} order by version`;
  let payment: Payment | undefined;
  for (const { type, payload, time } of rows) {
    const event: PaymentEvent = eventOf(type, payload);
    payment = apply(payment, event, { id, time });
  }
  return payment;
}
