import { Payment_Attention_Reason, Payment_Status } from "@rialto/contracts";
import { CallError } from "@rialto/rpc";
import { describe, expect, it } from "vitest";
import { apply, type PaymentEvent } from "../src/payment/events.ts";
import { eventFromJson } from "../src/payment/json.ts";
import type { Payment } from "../src/payment/state.ts";
import {
  authorize,
  capture,
  captureKey,
  type Decision,
  type OperationContext,
  refund,
  settle,
  voidPayment,
} from "../src/payment/transitions.ts";
import type { ProviderAnswer } from "../src/provider/provider.ts";
import { attentionReasons, paymentStatuses } from "../src/statuses.ts";

const command = { orderId: "order", userId: "user", amount: 500n, currency: "EUR", paymentMethod: "pm" };
const context: OperationContext = { actor: "service:order", reason: "", traceparent: "", operationId: "1" };
const approved: ProviderAnswer = { kind: "APPROVED", reference: "ref" };
const declined: ProviderAnswer = { kind: "DECLINED", code: "no" };

type Command = (payment: Payment | undefined) => Decision;
const commands: Record<string, Command> = {
  authorize: (payment) => authorize(payment, command, context),
  capture: (payment) => capture(payment, { key: captureKey("order", 1), refusedWith: undefined }, context),
  void: (payment) => voidPayment(payment, "order", context),
  // A refund names its payment by id, so there always is one.
  refund: (payment) =>
    payment === undefined ? { kind: "NOTHING" } : refund(payment, { minorUnits: 200n, currency: "EUR" }, context),
};

/** Plays words: a command that starts something, "yes" and "no" for the provider's answers. */
function play(story: string): Payment | undefined {
  let payment: Payment | undefined;
  for (const word of story.split(" ").filter((part) => part !== "")) payment = next(payment, word);
  return payment;
}

function next(payment: Payment | undefined, word: string): Payment {
  return append(payment, eventFor(payment, word));
}

function append(payment: Payment | undefined, event: PaymentEvent): Payment {
  return apply(payment, { subjectId: "payment", version: (payment?.version ?? 0) + 1, time: new Date(0), event });
}

function eventFor(payment: Payment | undefined, word: string): PaymentEvent {
  if (word === "yes" || word === "no") {
    if (payment?.operation === undefined) throw new Error("the provider was not asked");
    return settle(payment, payment.operation, word === "yes" ? approved : declined, { callerWaits: true });
  }
  const decision = commands[word]?.(payment);
  if (decision?.kind !== "EVENT") throw new Error(`${word} starts nothing`);
  return decision.event;
}

function outcome(payment: Payment | undefined, name: string): string {
  try {
    const decision = commands[name]?.(payment);
    return decision?.kind === "EVENT" ? decision.event.kind : (decision?.kind ?? "no such command");
  } catch (error) {
    if (error instanceof CallError) return error.reason;
    throw error;
  }
}

/** One line a state: how it came about, what stands in the row, and what each command makes of it. */
const table = `
story                                              | row                   | authorize             | capture           | void             | refund
                                                   | none                  | AUTHORIZATION_STARTED | PAYMENT_NOT_FOUND | VOIDED           | NOTHING
void                                               | VOIDED 0-0            | PAYMENT_VOIDED        | PAYMENT_VOIDED    | NOTHING          | PAYMENT_NOT_CAPTURED
authorize                                          | PENDING 0-0 AUTHORIZE | FINISH                | FINISH            | VOID_STARTED     | FINISH
authorize no                                       | DECLINED 0-0          | PAYMENT_DECLINED      | PAYMENT_DECLINED  | NOTHING          | PAYMENT_NOT_CAPTURED
authorize void                                     | PENDING 0-0 VOID      | FINISH                | FINISH            | FINISH           | FINISH
authorize void yes                                 | VOIDED 0-0            | PAYMENT_VOIDED        | PAYMENT_VOIDED    | NOTHING          | PAYMENT_NOT_CAPTURED
authorize void no                                  | PENDING 0-0           | VOID_REFUSED          | VOID_REFUSED      | VOID_STARTED     | PAYMENT_NOT_CAPTURED
authorize void no void yes                         | VOIDED 0-0            | PAYMENT_VOIDED        | PAYMENT_VOIDED    | NOTHING          | PAYMENT_NOT_CAPTURED
authorize yes                                      | AUTHORIZED 0-0        | NOTHING               | CAPTURE_STARTED   | VOID_STARTED     | PAYMENT_NOT_CAPTURED
authorize yes void                                 | AUTHORIZED 0-0 VOID   | FINISH                | FINISH            | FINISH           | FINISH
authorize yes void no                              | AUTHORIZED 0-0        | NOTHING               | CAPTURE_STARTED   | VOID_STARTED     | PAYMENT_NOT_CAPTURED
authorize yes capture                              | AUTHORIZED 0-0 CAPTURE | FINISH               | FINISH            | FINISH           | FINISH
authorize yes capture no                           | AUTHORIZED 0-0        | NOTHING               | CAPTURE_STARTED   | VOID_STARTED     | PAYMENT_NOT_CAPTURED
authorize yes capture yes                          | CAPTURED 500-0        | NOTHING               | NOTHING           | PAYMENT_CAPTURED | REFUND_STARTED
authorize yes capture yes refund                   | CAPTURED 500-0 REFUND | FINISH                | FINISH            | FINISH           | FINISH
authorize yes capture yes refund no                | CAPTURED 500-0        | NOTHING               | NOTHING           | PAYMENT_CAPTURED | REFUND_STARTED
authorize yes capture yes refund yes               | CAPTURED 500-200      | NOTHING               | NOTHING           | PAYMENT_CAPTURED | REFUND_STARTED
authorize yes capture yes refund yes refund yes    | CAPTURED 500-400      | NOTHING               | NOTHING           | PAYMENT_CAPTURED | REFUND_TOO_LARGE
`;
const lines = table
  .trim()
  .split("\n")
  .slice(1)
  .map((line) => line.split("|").map((cell) => cell.trim()));

describe("a payment", () => {
  it.each(lines)("after '%s' is %s and meets every command", (story, row, ...expected) => {
    const payment = play(story);
    const operation = payment?.operation === undefined ? "" : ` ${payment.operation.kind}`;
    const found =
      payment === undefined ? "none" : `${payment.status} ${payment.captured}-${payment.refunded}${operation}`;
    expect(found).toBe(row);
    expect(Object.keys(commands).map((name) => outcome(payment, name))).toEqual(expected);
  });

  it("is REFUNDED when all that was taken is given back", () => {
    const payment = play("authorize yes capture yes refund yes refund yes");
    if (payment === undefined) throw new Error("no payment");
    const decision = refund(payment, undefined, context);
    expect(decision).toMatchObject({ event: { operation: { amount: 100n } } });
    if (decision.kind !== "EVENT") throw new Error("nothing was started");
    const given = next(append(payment, decision.event), "yes");
    expect(given).toMatchObject({ status: "REFUNDED", refunded: 500n, version: payment.version + 2 });
    expect(outcome(given, "refund")).toBe("REFUND_TOO_LARGE");
    expect(outcome(given, "void")).toBe("NOTHING");
  });

  it("has the contract's statuses and attention reasons, each of them and no other", () => {
    const names = (contract: Readonly<Record<string | number, string | number>>) =>
      Object.keys(contract).filter((name) => Number.isNaN(Number(name)) && !name.endsWith("_UNSPECIFIED"));
    expect([...paymentStatuses].sort()).toEqual(names(Payment_Status).sort());
    expect([...attentionReasons].sort()).toEqual(names(Payment_Attention_Reason).sort());
  });

  it("refuses an event whose version does not follow, and one that this version does not know", () => {
    const event: PaymentEvent = { kind: "VOIDED", orderId: "order", key: "", reference: "" };
    expect(() => apply(undefined, { subjectId: "payment", version: 2, time: new Date(0), event })).toThrow("illegal");
    expect(() => eventFromJson("TELEPORTED", {})).toThrow("TELEPORTED");
  });

  it("refuses an event that cannot have happened", () => {
    expect(() => append(undefined, { kind: "CAPTURED", key: "k", reference: "r" })).toThrow("illegal");
    expect(() => append(play("authorize yes"), { kind: "CAPTURED", key: "k", reference: "r" })).toThrow("illegal");
    expect(() => append(play("authorize"), { kind: "AUTHORIZED", key: "another", reference: "r" })).toThrow("illegal");
  });
});
