import { Attention_Reason, Order_PendingAction, Order_RejectionReason, Order_Status } from "@rialto/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkoutTopics } from "../src/checkout/advance.ts";
import { apply, fold, type LoggedOrderEvent, type OrderEvent } from "../src/order/events.ts";
import { eventFromJson, eventToJson } from "../src/order/json.ts";
import { topicOf } from "../src/order/message.ts";
import { orderOf, rowOf } from "../src/order/row.ts";
import { isAtRest, type Order, type OrderState } from "../src/order/state.ts";
import { type Command, decide } from "../src/order/transitions.ts";
import { attentionReasons, orderStatuses, pendingActions, rejectionReasons } from "../src/statuses.ts";
import { appended, logOf, logTo, orderFrom, placed } from "./builders.ts";

describe("an order's log", () => {
  it.each(Object.entries(logTo))("that ends %s reads back from JSON as it was written", (_state, log) => {
    const stored = log.map((logged) => {
      const payload: unknown = JSON.parse(JSON.stringify(eventToJson(logged.event)));
      return { ...logged, event: eventFromJson(logged.event.kind, payload) };
    });
    expect(fold(stored)).toEqual(fold(log));
  });

  it("keeps the address", () => {
    const shippingAddress = { name: "Ada", lines: ["1 Mill Lane"], city: "York", postalCode: "", countryCode: "GB" };
    const payload: unknown = JSON.parse(JSON.stringify(eventToJson({ ...placed, shippingAddress })));
    expect(eventFromJson("PLACED", payload)).toEqual({ ...placed, shippingAddress });
  });

  const broken: readonly { readonly log: LoggedOrderEvent[]; readonly why: string }[] = [
    { log: logOf({ kind: "STOCK_RESERVED" }), why: "begins with STOCK_RESERVED" },
    { log: logOf(placed, placed), why: "PLACED cannot follow PENDING" },
    { log: logOf(placed, { kind: "CONFIRMED" }), why: "CONFIRMED cannot follow PENDING" },
    { log: logOf(placed, { kind: "SHIP_REQUESTED" }), why: "SHIP_REQUESTED cannot follow PENDING" },
    { log: logOf(placed, { kind: "CANCELLED" }), why: "CANCELLED cannot follow PENDING" },
    { log: [...logOf(placed), ...logOf(placed)], why: "version 1 cannot follow 1" },
    { log: logOf(placed, { kind: "STOCK_RESERVED" }).slice(1), why: "version 2 cannot follow nothing" },
  ];
  it.each(broken)("does not fold where it $why", ({ log, why }) => {
    expect(() => fold(log)).toThrow(why);
  });

  it("does not hold what this version does not know", () => {
    expect(() => eventFromJson("TELEPORTED", {})).toThrow("TELEPORTED");
  });
});

describe("the names of an order's columns", () => {
  const names = (contract: Readonly<Record<string | number, string | number>>) =>
    Object.keys(contract).filter((name) => Number.isNaN(Number(name)) && !name.endsWith("_UNSPECIFIED"));

  it("are the contract's, each of them and no other", () => {
    expect([...orderStatuses].sort()).toEqual(names(Order_Status).sort());
    expect([...rejectionReasons].sort()).toEqual(names(Order_RejectionReason).sort());
    expect([...pendingActions].sort()).toEqual(names(Order_PendingAction).sort());
    expect([...attentionReasons].sort()).toEqual(names(Attention_Reason).sort());
  });
});

describe("an order at rest", () => {
  const moving: readonly string[] = ["PENDING", "STOCK_RESERVED", "SHIPPING", "CANCELLING"];
  it.each(Object.keys(logTo) as OrderState[])("is distinguished from one in progress: %s", (state) => {
    expect(isAtRest(orderFrom(logTo[state]))).toBe(!moving.includes(state));
  });
});

const amount = fc.constantFrom(0n, 1n, 1000n, 2499n, 2500n, 2501n);
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.constantFrom<Command>(
    { kind: "requestShip" },
    { kind: "requestCancel" },
    { kind: "settleByCancel" },
    { kind: "deliver" },
    { kind: "stockReserved" },
    { kind: "confirm", authorized: 2500n },
    { kind: "reject", reason: "OUT_OF_STOCK" },
    { kind: "reject", reason: "PAYMENT_DECLINED" },
    { kind: "shipped", captured: 2500n },
    { kind: "cancelled" },
  ),
  fc.record({
    kind: fc.constant("raiseAttention" as const),
    reason: fc.constantFrom("CAPTURE_REFUSED", "AUTHORIZATION_EXPIRED", "STOCK_LOST", "COMPENSATION_FAILED"),
    detail: fc.string(),
    captured: amount,
  }),
  fc.record({ kind: fc.constant("recordRefund" as const), captured: amount, refunded: amount }),
);

/** Runs the commands one after the other, as a store would: what comes to an event is appended. */
function live(
  commands: readonly Command[],
  watch: (before: Order, after: Order, event: OrderEvent) => void = () => undefined,
) {
  let log = logOf(placed);
  for (const command of commands) {
    const before = orderFrom(log);
    const answer = decide(before, command);
    if (answer.kind !== "EVENT") continue;
    log = appended(log, answer.event);
    watch(before, orderFrom(log), answer.event);
  }
  return log;
}

describe("any sequence of commands", () => {
  const lives = fc.array(anyCommand, { maxLength: 40 });

  it("keeps captured within the total and refunded within captured, and neither ever falls", () => {
    fc.assert(
      fc.property(lives, (commands) => {
        live(commands, (before, after) => {
          expect(after.captured <= after.total && after.refunded <= after.captured).toBe(true);
          expect(after.captured >= before.captured && after.refunded >= before.refunded).toBe(true);
        });
      }),
    );
  });

  it("never ships what was asked to be cancelled, nor cancels what was asked to be shipped, without a person between", () => {
    fc.assert(
      fc.property(lives, (commands) => {
        live(commands, (before, _after, event) => {
          if (event.kind === "SHIPPED") expect(before.pendingAction).toBe("SHIP");
          if (event.kind === "CANCELLED") expect(before.pendingAction).toBe("CANCEL");
          if (event.kind === "CANCEL_REQUESTED" && before.pendingAction === "SHIP")
            expect(before.attention).toBeDefined();
          if (event.kind === "SHIP_REQUESTED") expect(before.pendingAction).not.toBe("CANCEL");
        });
      }),
    );
  });

  it("lets nothing but money happen to an order that has ended", () => {
    const ends: readonly string[] = ["REJECTED", "CANCELLED", "DELIVERED"];
    fc.assert(
      fc.property(lives, (commands) => {
        live(commands, (before, after, event) => {
          if (!ends.includes(before.status)) return;
          expect(event.kind).toBe("REFUNDED");
          expect(after.status).toBe(before.status);
        });
      }),
    );
  });

  it("folds to the order that was reached step by step, which its row keeps whole", () => {
    fc.assert(
      fc.property(lives, (commands) => {
        const log = live(commands);
        let step: Order | undefined;
        for (const logged of log) step = apply(step, logged);
        const order = orderFrom(log);
        expect(step).toEqual(order);
        expect(orderOf(stored(order))).toEqual(order);
      }),
    );
  });

  it("leaves nothing for the saga to do but after the events that it subscribes to", () => {
    const topics: readonly string[] = checkoutTopics;
    fc.assert(
      fc.property(lives, (commands) => {
        live(commands, (before, after, event) => {
          const begins = isAtRest(before) && !isAtRest(after);
          const moves = before.status !== after.status && !isAtRest(after);
          if (begins || moves) expect(topics).toContain(topicOf(event.kind));
        });
      }),
    );
  });

  it("decides the same command twice as once where a person asks", () => {
    const asked = fc.constantFrom<Command>({ kind: "requestShip" }, { kind: "requestCancel" });
    fc.assert(
      fc.property(lives, asked, (commands, command) => {
        const log = live(commands);
        const once = live([...commands, command]);
        const twice = live([...commands, command, command]);
        expect(twice).toEqual(once);
        expect(once.length - log.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});

/** The row as Postgres gives it back. */
function stored(order: Order): Parameters<typeof orderOf>[0] {
  const row = rowOf(order);
  return {
    id: order.id,
    version: order.version,
    userId: order.userId,
    status: order.status,
    items: JSON.parse(JSON.stringify(row.items)),
    currency: String(row.currency),
    total: BigInt(String(row.total)),
    captured: BigInt(String(row.captured)),
    refunded: BigInt(String(row.refunded)),
    paymentMethod: String(row.payment_method),
    shippingAddress: null,
    rejectionReason: order.rejectionReason ?? null,
    pendingAction: order.pendingAction ?? null,
    attentionReason: order.attention?.reason ?? null,
    attentionDetail: order.attention?.detail ?? null,
    attentionSince: row.attention_since === null ? null : new Date(String(row.attention_since)),
    createTime: new Date(String(row.create_time)),
    updateTime: new Date(String(row.update_time)),
    attempts: 0,
    attemptVersion: 0,
    nextAttemptTime: order.updateTime,
  };
}
