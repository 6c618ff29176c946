import { describe, expect, it } from "vitest";
import { type OrderState, stateOf } from "../src/order/state.ts";
import { decide } from "../src/order/transitions.ts";
import { afterEvent, commands, logTo, orderFrom } from "./builders.ts";

// What each command comes to in each state: the state after it, "=" where nothing is to be done, "!" and the reason
// where it is refused. CLOSED is ORDER_CLOSED, CANCEL is CANCELLATION_REQUESTED, SHIP is SHIPPING_REQUESTED, TURN is
// OUT_OF_TURN.
const byPeople = `
  state            | ship           | cancel     | settle     | deliver
  PENDING          | !NOT_CONFIRMED | CANCELLING | CANCELLING | !NOT_SHIPPED
  STOCK_RESERVED   | !NOT_CONFIRMED | CANCELLING | CANCELLING | !NOT_SHIPPED
  REJECTING_WAITS  | !NOT_CONFIRMED | CANCELLING | CANCELLING | !NOT_SHIPPED
  CONFIRMED        | SHIPPING       | CANCELLING | CANCELLING | !NOT_SHIPPED
  SHIPPING         | =              | !SHIP      | !SHIP      | !NOT_SHIPPED
  SHIPPING_WAITS   | SHIPPING       | !SHIP      | CANCELLING | !NOT_SHIPPED
  CANCELLING       | !CANCEL        | =          | =          | !NOT_SHIPPED
  CANCELLING_WAITS | !CANCEL        | =          | CANCELLING | !NOT_SHIPPED
  SHIPPED          | !SHIPPED       | !SHIPPED   | !SHIPPED   | DELIVERED
  DELIVERED        | !CLOSED        | !CLOSED    | !CLOSED    | !CLOSED
  REJECTED         | !CLOSED        | !CLOSED    | !CLOSED    | !CLOSED
  CANCELLED        | !CLOSED        | !CLOSED    | !CLOSED    | !CLOSED
`;

const bySteps = `
  state            | reserved       | confirm   | outOfStock | declined | shipped | cancelled
  PENDING          | STOCK_RESERVED | !TURN     | REJECTED   | !TURN    | !TURN   | !TURN
  STOCK_RESERVED   | =              | CONFIRMED | !TURN      | REJECTED | !TURN   | !TURN
  REJECTING_WAITS  | !TURN          | !TURN     | !TURN      | !TURN    | !TURN   | !TURN
  CONFIRMED        | =              | =         | !TURN      | !TURN    | !TURN   | !TURN
  SHIPPING         | =              | =         | !TURN      | !TURN    | SHIPPED | !SHIP
  SHIPPING_WAITS   | =              | =         | !TURN      | !TURN    | !TURN   | !SHIP
  CANCELLING       | !CANCEL        | !CANCEL   | !CANCEL    | !CANCEL  | !CANCEL | CANCELLED
  CANCELLING_WAITS | !CANCEL        | !CANCEL   | !CANCEL    | !CANCEL  | !CANCEL | !TURN
  SHIPPED          | =              | =         | !TURN      | !TURN    | =       | !TURN
  DELIVERED        | =              | =         | !CLOSED    | !CLOSED  | =       | !CLOSED
  REJECTED         | !CLOSED        | !CLOSED   | =          | =        | !CLOSED | !CLOSED
  CANCELLED        | !CLOSED        | !CLOSED   | !CLOSED    | !CLOSED  | !CLOSED | =
`;

const byReports = `
  state            | captureRefused | undoRefused      | refunded
  PENDING          | !TURN          | !TURN            | PENDING
  STOCK_RESERVED   | !TURN          | REJECTING_WAITS  | STOCK_RESERVED
  REJECTING_WAITS  | =              | =                | REJECTING_WAITS
  CONFIRMED        | !TURN          | !TURN            | CONFIRMED
  SHIPPING         | SHIPPING_WAITS | !TURN            | SHIPPING
  SHIPPING_WAITS   | =              | =                | SHIPPING_WAITS
  CANCELLING       | !TURN          | CANCELLING_WAITS | CANCELLING
  CANCELLING_WAITS | =              | =                | CANCELLING_WAITS
  SHIPPED          | !TURN          | !TURN            | SHIPPED
  DELIVERED        | !CLOSED        | !CLOSED          | DELIVERED
  REJECTED         | !CLOSED        | !CLOSED          | REJECTED
  CANCELLED        | !CLOSED        | !CLOSED          | CANCELLED
`;

const reasons: Readonly<Record<string, string>> = {
  ORDER_CLOSED: "!CLOSED",
  ORDER_SHIPPED: "!SHIPPED",
  ORDER_NOT_CONFIRMED: "!NOT_CONFIRMED",
  ORDER_NOT_SHIPPED: "!NOT_SHIPPED",
  SHIPPING_REQUESTED: "!SHIP",
  CANCELLATION_REQUESTED: "!CANCEL",
  OUT_OF_TURN: "!TURN",
};

type CommandName = keyof typeof commands;

function cells(table: string): { state: OrderState; command: CommandName; expected: string }[] {
  const lines = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const [[, ...names] = [], ...rows] = lines;
  return rows.flatMap(([state, ...expected]) =>
    expected.map((cell, index) => ({
      state: state as OrderState,
      command: names[index] as CommandName,
      expected: cell,
    })),
  );
}

const all = [byPeople, bySteps, byReports].flatMap(cells);

describe("a command", () => {
  it.each(all)("$command of an order that is $state comes to $expected", ({ state, command, expected }) => {
    const order = orderFrom(logTo[state]);
    expect(stateOf(order)).toBe(state);
    const answer = decide(order, commands[command]);
    const came =
      answer.kind === "EVENT"
        ? stateOf(afterEvent(order, answer.event))
        : answer.kind === "NOTHING"
          ? "="
          : reasons[answer.reason];
    expect(came).toBe(expected);
  });

  it("is written down here for every state", () => {
    const written = new Set(all.map(({ state, command }) => `${state} ${command}`));
    const possible = Object.keys(logTo).flatMap((s) => Object.keys(commands).map((c) => `${s} ${c}`));
    expect([...written].sort()).toEqual(possible.sort());
  });
});

describe("an amount that cannot be", () => {
  const impossible = { kind: "REFUSED", reason: "AMOUNT_IMPOSSIBLE" };

  it("does not confirm an order: what is authorized is the total", () => {
    expect(decide(orderFrom(logTo.STOCK_RESERVED), { kind: "confirm", authorized: 2499n })).toEqual(impossible);
  });

  it("does not ship an order: what is captured is the total", () => {
    expect(decide(orderFrom(logTo.SHIPPING), { kind: "shipped", captured: 2499n })).toEqual(impossible);
  });

  it.each([
    { captured: 2501n, refunded: 1n, why: "more was captured than the order costs" },
    { captured: 2500n, refunded: 2501n, why: "more is given back than was captured" },
    { captured: 2000n, refunded: 1n, why: "less was captured than the order says" },
  ])("is no refund: $why", ({ captured, refunded }) => {
    expect(decide(orderFrom(logTo.SHIPPED), { kind: "recordRefund", captured, refunded })).toEqual(impossible);
  });
});

describe("a refund", () => {
  it("is recorded once for each total, and a smaller total that comes late changes nothing", () => {
    const shipped = orderFrom(logTo.SHIPPED);
    const answer = decide(shipped, { kind: "recordRefund", captured: 2500n, refunded: 1000n });
    if (answer.kind !== "EVENT") throw new Error(answer.kind);
    const refunded = afterEvent(shipped, answer.event);
    expect(refunded).toMatchObject({ captured: 2500n, refunded: 1000n, status: "SHIPPED" });
    expect(decide(refunded, { kind: "recordRefund", captured: 2500n, refunded: 1000n })).toEqual({ kind: "NOTHING" });
    expect(decide(refunded, { kind: "recordRefund", captured: 2500n, refunded: 400n })).toEqual({ kind: "NOTHING" });
    expect(decide(refunded, { kind: "recordRefund", captured: 2500n, refunded: 2500n })).toMatchObject({
      kind: "EVENT",
    });
  });

  it("that is reported before the shipping is committed says what was captured, and the shipping still stands", () => {
    const shipping = orderFrom(logTo.SHIPPING);
    const answer = decide(shipping, { kind: "recordRefund", captured: 2500n, refunded: 2500n });
    if (answer.kind !== "EVENT") throw new Error(answer.kind);
    const refunded = afterEvent(shipping, answer.event);
    expect(stateOf(refunded)).toBe("SHIPPING");
    expect(decide(refunded, commands.shipped)).toMatchObject({ kind: "EVENT" });
  });
});

describe("an order that waits for a person", () => {
  it("says why and since when, and forgets it when a person asks again", () => {
    const waiting = orderFrom(logTo.SHIPPING_WAITS);
    expect(waiting.attention).toEqual({
      reason: "CAPTURE_REFUSED",
      detail: "said the service behind",
      since: waiting.updateTime,
    });
    expect(afterEvent(waiting, { kind: "SHIP_REQUESTED" })).toMatchObject({
      attention: undefined,
      pendingAction: "SHIP",
    });
    expect(afterEvent(waiting, { kind: "CANCEL_REQUESTED" })).toMatchObject({
      attention: undefined,
      pendingAction: "CANCEL",
    });
  });
});
