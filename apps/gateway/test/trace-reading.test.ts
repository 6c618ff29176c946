import { describe, expect, it } from "vitest";
import { causeOfDeadLetter, causeOfOrder, causesInTraces, mergedCauses } from "../src/pages/traces/browser/causes.js";
import { readTrace } from "../src/pages/traces/browser/read-traces.js";
import { createTimeScale } from "../src/pages/traces/browser/time-scale.js";
import { durationText, readTime, timeText } from "../src/pages/traces/browser/time-text.js";
import { buildTree, flatten } from "../src/pages/traces/browser/trace-tree.js";
import { collapsedAtFirst, visibleRows } from "../src/pages/traces/browser/visible-rows.js";
import { type MadeTrace, traceJson } from "./trace-fixtures.ts";
import { confirmed, dead, declined, large } from "./trace-stories.ts";

const treeOf = (traces: readonly MadeTrace[]) => buildTree(traces.map((trace) => readTrace(traceJson(trace))));
const everything = { collapsed: new Set<string>(), showsLines: true, onlyTrouble: false };
const namesOf = (roots: ReturnType<typeof buildTree>, choice = everything) =>
  visibleRows(roots, choice).map(({ node }) => node.line?.message ?? node.span?.name ?? "trace");

describe("the tree of traces", () => {
  it("has an order's traces in order of time, and log lines where they were written", () => {
    const names = namesOf(treeOf(confirmed.toReversed()));
    expect(names.filter((name) => /^(trace|POST|request)/.test(name))).toEqual([
      "trace",
      "POST /api/orders",
      "request",
      "trace",
      "POST /api/orders/{id}:ship",
    ]);
  });

  it("has a span of another trace below the span that it was done for", () => {
    const nodes = flatten(treeOf(confirmed));
    const linked = nodes.find(({ span }) => span?.name === "receive checkout");
    expect([linked?.span?.isLinked, linked?.parent?.span?.name]).toEqual([true, "send order.placed"]);
  });

  it("keeps spans whose parents are missing, or lead in a circle", () => {
    const trace = readTrace(traceJson(dead[0] ?? raise()));
    const [first, second, third] = trace.spans;
    if (first === undefined || second === undefined || third === undefined) throw new Error("a trace without spans");
    const torn = [
      { ...first, parentId: "missing" },
      { ...second, parentId: third.spanId },
      { ...third, parentId: second.spanId },
    ];
    const [root] = buildTree([{ ...trace, spans: torn }]);
    const spans = flatten(root === undefined ? [] : [root]).filter(({ span }) => span !== undefined);
    expect(spans.map(({ span }) => span?.name).sort()).toEqual(torn.map(({ name }) => name).sort());
  });

  it("as deep as it has spans is read all the same", () => {
    const trace = readTrace(traceJson(large));
    const chain = trace.spans.map((span, index) => ({ ...span, parentId: trace.spans[index - 1]?.spanId ?? "" }));
    const rows = visibleRows(buildTree([{ ...trace, spans: chain }]), { ...everything, showsLines: false });
    expect(rows.at(-1)?.node.level).toBe(5_001);
  });

  it("shows only what failed, with what it is part of", () => {
    const names = namesOf(treeOf(declined), { ...everything, onlyTrouble: true });
    expect(names.slice(-3)).toEqual([
      "process order.placed",
      "checkout authorize-payment",
      "rialto.payment.v1.PaymentService/AuthorizePayment",
    ]);
    expect(names).not.toContain("checkout reserve-stock");
  });

  it("is open at first, but where it is large only as far as to what failed", () => {
    const roots = treeOf([large]);
    expect([collapsedAtFirst(treeOf(declined)).size, collapsedAtFirst(roots).size]).toEqual([0, 4_999]);
    expect(visibleRows(roots, { ...everything, collapsed: collapsedAtFirst(roots) })).toHaveLength(5_001);
  });
});

describe("what went wrong", () => {
  const meanings = { PAYMENT_DECLINED: "The card was refused." };
  const order = { status: "REJECTED", rejectionReason: "PAYMENT_DECLINED" };

  it("with a declined card is said once, and leads to the step that failed", () => {
    const ofOrder = causeOfOrder(order, meanings);
    const causes = mergedCauses(ofOrder === undefined ? [] : [ofOrder], causesInTraces(treeOf(declined), meanings));
    expect(causes).toMatchObject([
      {
        ...{ title: "The order was rejected", word: "PAYMENT_DECLINED", text: "The card was refused." },
        node: { span: { name: "checkout authorize-payment" } },
      },
    ]);
  });

  it("with a dead letter is its error, how often it was tried, and the last attempt", () => {
    const letter = { subscription: "order-mail", topic: "order.confirmed", attempts: 3, error: "TypeError: no street" };
    const [cause, ...others] = mergedCauses([causeOfDeadLetter(letter)], causesInTraces(treeOf(dead), {}));
    expect(cause).toMatchObject({ word: "TypeError", text: "no street", node: { span: { isFailed: true } } });
    expect(cause?.title).toContain("after 3 attempts");
    expect(others).toEqual([]);
  });

  it("is nothing where an order was confirmed", () => {
    expect(causeOfOrder({ status: "CONFIRMED" }, meanings)).toBeUndefined();
    expect(causesInTraces(treeOf(confirmed), meanings)).toEqual([]);
  });

  it("names a refusal that no failure explains, at the service that refused", () => {
    const status = { "rpc.response.status_code": "failed_precondition" };
    const refused = { service: "order", at: 1, ms: 2, attributes: status };
    const root = { name: "POST /api/orders", service: "gateway", at: 0, ms: 4, attributes: status };
    const lines = [{ at: 2, message: "refused", fields: { reason: "TOTAL_CHANGED" } }];
    const trace = { traceId: "1".repeat(32), startMs: 0 };
    const made = { ...trace, root: { ...root, children: [{ ...refused, name: "CreateOrder", lines }] } };
    expect(causesInTraces(treeOf([made]), {})).toMatchObject([{ title: "CreateOrder", word: "TOTAL_CHANGED" }]);
  });
});

describe("times on a timeline", () => {
  it("are in proportion while there is work", () => {
    const { place, pauses } = createTimeScale([{ start: 100, end: 200 }]);
    expect([place(100), place(150), place(200), pauses.length]).toEqual([0, 0.5, 1, 0]);
    expect([place(0), place(900)]).toEqual([0, 1]);
  });

  it("leave room for milliseconds beside a pause of a minute, which is drawn narrow", () => {
    const work = [
      { start: 0, end: 50 },
      { start: 60_050, end: 60_100 },
    ];
    const { place, pauses } = createTimeScale(work);
    expect(pauses).toMatchObject([{ ms: 60_000 }]);
    expect(place(50)).toBeCloseTo(0.48);
    expect(place(60_050)).toBeCloseTo(0.52);
    const moments = [0, 25, 50, 5_000, 60_050, 60_075, 60_100].map(place);
    expect(moments).toEqual(moments.toSorted((a, b) => a - b));
  });

  it("are written in three digits", () => {
    const texts = [0, 0.42, 9.996, 99.96, 999.7, 2_345, 65_000, 3_720_000, 90_000_000].map(durationText);
    expect(texts).toEqual([
      "0 ms",
      "0.42 ms",
      "10.0 ms",
      "100 ms",
      "1.00 s",
      "2.35 s",
      "1 min 5 s",
      "1 h 2 min",
      "1 d 1 h",
    ]);
  });

  it("keep microseconds, and have their date where it is not today's", () => {
    const time = readTime("2026-11-27T09:30:00.000250Z");
    expect(time - Date.UTC(2026, 10, 27, 9, 30)).toBeCloseTo(0.25, 3);
    expect(timeText(time, time)).toMatch(/^\d\d:30:00\.000$/);
    expect(timeText(time, time + 86_400_000 * 2)).toMatch(/^2026-11-2\d \d\d:30:00\.000$/);
  });
});

function raise(): never {
  throw new Error("there is no such trace");
}
