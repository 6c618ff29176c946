import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KeptLine, KeptSpan } from "../src/index.ts";
import { createTraceRing, ringBounds, type WantedTraces } from "../src/trace-ring/trace-ring.ts";

const traceIdOf = (n: number) => n.toString(16).padStart(32, "0");
const spanIdOf = (n: number) => n.toString(16).padStart(16, "0");

function span(trace: number, id: number, more: Partial<KeptSpan> = {}): KeptSpan {
  return {
    ...{ traceId: traceIdOf(trace), spanId: spanIdOf(id), parentSpanId: undefined },
    ...{ name: "work", service: "order", kind: "internal", startUs: id, endUs: id + 1 },
    ...{ status: "unset", statusMessage: "", attributes: {}, links: [] },
    ...more,
  };
}

function line(trace: number, more: Partial<KeptLine> = {}): KeptLine {
  return {
    ...{ traceId: traceIdOf(trace), spanId: undefined, timeMs: 0, level: "info", message: "done", service: "order" },
    fields: {},
    ...more,
  };
}

const idsOf = (spans: readonly KeptSpan[]) => spans.map(({ spanId }) => Number.parseInt(spanId, 16));

const bounds = {
  ...{ tracesMax: 5, spansPerTraceMax: 4, linesPerTraceMax: 3, charsMax: 6_000 },
  ...{ waitingLinesMax: 6, waitingCharsMax: 3_000, linkedSpansMax: 3 },
};

const addition = fc.record({
  isLine: fc.boolean(),
  trace: fc.integer({ min: 1, max: 7 }),
  id: fc.integer({ min: 1, max: 9 }),
  chars: fc.oneof({ weight: 9, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.nat(3_000) }),
});

describe("the ring of the last traces", () => {
  it("keeps within its bounds whatever comes, and counts what it drops of a trace that it keeps", () => {
    fc.assert(
      fc.property(fc.array(addition, { maxLength: 200, size: "max" }), (additions) => {
        const ring = createTraceRing(bounds);
        const sent = new Map<string, Set<number>>();
        for (const { isLine, trace, id, chars } of additions) {
          const fields = { text: "x".repeat(chars) };
          const isKept = ring.get(traceIdOf(trace)) !== undefined;
          if (isLine) ring.addLine(line(trace, { fields }));
          else {
            ring.addSpan(span(trace, id, { attributes: fields }));
            if (!isKept) sent.set(traceIdOf(trace), new Set());
            sent.get(traceIdOf(trace))?.add(id);
          }
          const traces = ring.list();
          expect(traces.length).toBeLessThanOrEqual(bounds.tracesMax);
          const kept = traces.flatMap(({ spans, lines }) => [
            ...spans.map(({ attributes }) => attributes),
            ...lines.map((one) => one.fields),
          ]);
          const texts = kept.reduce((sum, { text = "" }) => sum + text.length, 0);
          if (traces.length > 1) expect(texts).toBeLessThanOrEqual(bounds.charsMax);
          for (const { traceId, spans, lines, droppedSpans } of traces) {
            expect(spans.length).toBeGreaterThan(0);
            expect(spans.length).toBeLessThanOrEqual(bounds.spansPerTraceMax);
            expect(lines.length).toBeLessThanOrEqual(bounds.linesPerTraceMax);
            // A dropped span that is sent again is dropped again.
            expect(spans.length + droppedSpans).toBeGreaterThanOrEqual(sent.get(traceId)?.size ?? 0);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it("drops the oldest trace first, and keeps 500", () => {
    const ring = createTraceRing();
    for (let trace = 1; trace <= ringBounds.tracesMax + 1; trace += 1) ring.addSpan(span(trace, trace));
    expect(ring.list()).toHaveLength(500);
    expect([ring.get(traceIdOf(1)), ring.get(traceIdOf(2))?.spans.length]).toEqual([undefined, 1]);
    expect(ring.list()[0]?.traceId).toBe(traceIdOf(501));
  });

  it("drops whole traces where their texts are too long in all, and never the newest", () => {
    const ring = createTraceRing(bounds);
    for (const trace of [1, 2, 3]) ring.addSpan(span(trace, trace, { attributes: { text: "x".repeat(2_500) } }));
    expect(ring.list().map(({ traceId }) => traceId)).toEqual([traceIdOf(3), traceIdOf(2)]);
    ring.addSpan(span(4, 4, { attributes: { text: "x".repeat(7_000) } }));
    expect(ring.list().map(({ traceId }) => traceId)).toEqual([traceIdOf(4)]);
  });

  it("has the lines that came before the first span of their trace, and not those of traces without any", () => {
    const ring = createTraceRing({ ...bounds, waitingCharsMax: ringBounds.waitingCharsMax });
    ring.addLine(line(1, { message: "first" }));
    for (let n = 0; n < 100; n += 1) ring.addLine(line(2 + (n % 50)));
    expect(ring.list()).toEqual([]);
    ring.addLine(line(1, { message: "second" }));
    ring.addSpan(span(1, 1));
    ring.addLine(line(1, { message: "third" }));
    expect(ring.list().map(({ lines }) => lines.map(({ message }) => message))).toEqual([["second", "third"]]);
  });

  it.each([
    ["level", { level: "x".repeat(2_000) }],
    ["message", { message: "x".repeat(2_000) }],
    ["service", { service: "x".repeat(2_000) }],
    ["field's name", { fields: { ["x".repeat(2_000)]: "" } }],
    ["field", { fields: { text: "x".repeat(2_000) } }],
  ])("counts a line's %s among the texts, also while the line waits for its span", (_, more) => {
    const ring = createTraceRing(bounds);
    for (const trace of [1, 2]) {
      ring.addLine(line(trace, more));
      ring.addLine(line(trace));
    }
    for (const trace of [1, 2]) ring.addSpan(span(trace, trace));
    expect(ring.list().map(({ lines }) => lines.length)).toEqual([2, 0]);
    for (const trace of [3, 4, 5]) {
      ring.addSpan(span(trace, trace));
      ring.addLine(line(trace, more));
    }
    expect(ring.get(traceIdOf(2))).toBeUndefined();
  });

  it("counts a span's service among the texts", () => {
    const ring = createTraceRing(bounds);
    for (const trace of [1, 2, 3]) ring.addSpan(span(trace, trace, { service: "x".repeat(2_500) }));
    expect(ring.list()).toHaveLength(2);
  });

  it("lists the latest of the traces that name an order and a request", () => {
    const ring = createTraceRing(bounds);
    const ids = (orderId: string, requestId: string) => ({
      attributes: { "rialto.order.id": orderId, "rialto.request.id": requestId },
    });
    ring.addSpan(span(1, 1, ids("o-1", "r-1")));
    ring.addSpan(span(2, 2, ids("o-1", "r-2")));
    ring.addSpan(span(3, 3, ids("o-2", "r-1")));
    const listed = (wanted: WantedTraces) => ring.list(wanted).map(({ traceId }) => Number.parseInt(traceId, 16));
    expect(listed({ orderId: "o-1" })).toEqual([2, 1]);
    expect(listed({ orderId: "o-1", requestId: "r-1" })).toEqual([1]);
    expect(listed({ requestId: "r-1", max: 1 })).toEqual([3]);
    expect(listed({ max: 2 })).toEqual([3, 2]);
  });

  it("takes a span that is sent twice once", () => {
    const ring = createTraceRing(bounds);
    for (let n = 0; n < 12; n += 1) ring.addSpan(span(1, n % bounds.spansPerTraceMax));
    expect(ring.get(traceIdOf(1))).toMatchObject({ spans: [{}, {}, {}, {}], droppedSpans: 0 });
  });

  it("names the orders and requests of spans and of lines", () => {
    const ring = createTraceRing(bounds);
    ring.addSpan(span(1, 1, { attributes: { "rialto.order.id": "o-1", "rialto.request.id": "r-1" } }));
    ring.addLine(line(1, { fields: { orderId: "o-2", requestId: "r-1" } }));
    expect(ring.get(traceIdOf(1))).toMatchObject({ orderIds: ["o-1", "o-2"], requestIds: ["r-1"] });
  });
});

describe("the spans that are linked to a trace", () => {
  const to = (trace: number, id: number) => ({ links: [{ traceId: traceIdOf(trace), spanId: spanIdOf(id) }] });

  it("are those that name its spans with what is below them, and those that it names", () => {
    const ring = createTraceRing();
    ring.addSpan(span(1, 1));
    ring.addSpan(span(1, 2, to(2, 10)));
    ring.addSpan(span(2, 10));
    ring.addSpan(span(2, 11, { parentSpanId: spanIdOf(10) }));
    ring.addSpan(span(3, 20, to(1, 1)));
    ring.addSpan(span(3, 21, { parentSpanId: spanIdOf(20) }));
    ring.addSpan(span(3, 22, { parentSpanId: spanIdOf(21) }));
    ring.addSpan(span(3, 23));
    const trace = ring.get(traceIdOf(1));
    expect(trace === undefined ? [] : idsOf(ring.linkedTo(trace))).toEqual([10, 20, 21, 22]);
  });

  it("are bounded, the earliest first", () => {
    const ring = createTraceRing(bounds);
    ring.addSpan(span(1, 1));
    for (const id of [9, 8, 7, 6]) ring.addSpan(span(2, id, to(1, 1)));
    const trace = ring.get(traceIdOf(1));
    expect(trace === undefined ? [] : idsOf(ring.linkedTo(trace))).toEqual([6, 7, 8]);
  });
});
