import fc from "fast-check";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fold } from "../src/payment/events.ts";
import { eventFromJson } from "../src/payment/json.ts";
import type { Payment } from "../src/payment/state.ts";
import { admin, authorization, type Fixture, fromOrder, openFixture, refusal } from "./payment-fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

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
  it("leaves the payment, its log and the network's ledger in agreement", async () => {
    await fc.assert(
      fc.asyncProperty(story, card, async (groups, method) => {
        const asked = authorization({ method, orderId: uuidv7() });
        for (const group of groups) {
          const refused = await Promise.all(group.map((one) => refusal(run(one, asked))));
          expect(foreseen).toEqual(expect.arrayContaining(refused));
        }
        // The unreachable card needs a few tries.
        for (let sweep = 0; sweep < 4; sweep++) {
          await fixture.passTime(60_000);
          await fixture.operations.finishStalled(new AbortController().signal);
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
      return fixture.calls.authorizePayment(asked, fromOrder());
    case "capture":
      return fixture.calls.capturePayment({ orderId }, fromOrder());
    case "void":
      return fixture.calls.voidPayment({ orderId }, fromOrder());
    case "refund": {
      const id = (await fixture.store.byOrder(orderId))?.id ?? uuidv7();
      if (one.minorUnits === undefined) return fixture.gateway.refundPayment({ id }, admin());
      const amount = { currencyCode: "EUR", minorUnits: one.minorUnits };
      return fixture.gateway.refundPayment({ id, amount }, admin(), { idempotencyKey: uuidv7() });
    }
  }
}

async function expectAgreement(orderId: string): Promise<void> {
  const payment = await fixture.store.byOrder(orderId);
  const { kept, held } = await fixture.money(orderId);
  expect(kept).toBe((payment?.captured ?? 0n) - (payment?.refunded ?? 0n));
  expect(payment?.operation).toBeUndefined();
  expect(held).toBe(payment?.status === "AUTHORIZED");
  if (payment !== undefined) expect(await folded(payment.id)).toEqual(payment);
}

/** The payment, folded from its log. */
async function folded(id: string): Promise<Payment | undefined> {
  const rows = await fixture.database.sql<{ version: number; type: string; payload: never; time: Date }[]>`
    select version, type, payload, time from payment_event where subject_id = ${id} order by version`;
  return fold(
    rows.map(({ version, time, type, payload }) => ({
      subjectId: id,
      version,
      time,
      event: eventFromJson(type, payload),
    })),
  );
}
