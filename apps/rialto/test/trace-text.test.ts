import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Span_StatusCode as StatusCode, TraceSchema } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { traceText } from "../src/operator/trace-text.ts";

const traceId = "a".repeat(32);
const other = "b".repeat(32);
const startMs = Date.UTC(2026, 10, 27, 12);

function at(ms: number) {
  const us = (startMs + ms) * 1_000;
  return { seconds: BigInt(Math.floor(us / 1_000_000)), nanos: (us % 1_000_000) * 1_000 };
}

type SpanInit = NonNullable<MessageInitShape<typeof TraceSchema>["spans"]>[number];

function span(spanId: string, name: string, ms: number, durationMs: number, more: Partial<SpanInit> = {}): SpanInit {
  const nanos = durationMs * 1_000_000;
  return {
    ...{ traceId, spanId, name, service: "order", startTime: at(ms), duration: { nanos } },
    ...more,
  } as SpanInit;
}

describe("a trace for people", () => {
  it("is a tree of its spans, with failures, the log lines inside of them, and what was linked to them", () => {
    const trace = create(TraceSchema, {
      traceId,
      spans: [
        span("1", "POST /api/orders", 0, 12.5, { service: "gateway", parentSpanId: "of the client" }),
        span("2", "process order.placed", 20, 800, { parentSpanId: "1" }),
        span("3", "checkout authorize-payment", 21, 0.25, {
          ...{ parentSpanId: "2", statusCode: StatusCode.ERROR, attributes: { "error.type": "PAYMENT_DECLINED" } },
          logLines: [
            {
              ...{ time: at(22), level: "warn", service: "order", message: "order\nrejected" },
              fields: { orderId: "o-1", "exception.stacktrace": "Error: at every line", text: "x".repeat(300) },
            },
          ],
        }),
      ],
      linkedSpans: [
        span("8", "receive checkout", 19, 1500, { traceId: other, links: [{ traceId, spanId: "2" }] }),
        span("9", "UPDATE stock", 23, 1, { traceId: other, parentSpanId: "8" }),
      ],
      logLines: [{ time: at(30), level: "info", service: "order", message: "still running" }],
      droppedSpans: 3,
    });
    expect(traceText(trace)).toBe(
      [
        `trace ${traceId}  2026-11-27T12:00:00.000Z  820.0 ms  3 spans, 1 FAILED`,
        "  POST /api/orders  [gateway]  12.5 ms  +0 µs",
        "    process order.placed  [order]  800.0 ms  +20.0 ms",
        "      checkout authorize-payment  [order]  250 µs  +21.0 ms  FAILED PAYMENT_DECLINED",
        `        | warn  [order]  order rejected  orderId=o-1  text=${"x".repeat(200)}…  +22.0 ms`,
        "      ~ receive checkout  [order]  1.50 s  +19.0 ms",
        "        ~ UPDATE stock  [order]  1.0 ms  +23.0 ms",
        "  | info  [order]  still running  +30.0 ms",
        "  (3 more spans and 0 more log lines are not kept)",
      ].join("\n"),
    );
  });

  it("does not let what was recorded move the cursor of a terminal", () => {
    const trace = create(TraceSchema, { traceId, spans: [span("1", "\u001b[2Jwork\r", 0, 1)] });
    expect(traceText(trace)).not.toMatch(/[^\P{Cc}\n]/u);
  });
});
