import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { createTraceRequestWriter } from "../src/tracing/trace-request.ts";
import { createTracing } from "../src/tracing/tracing.ts";

const facts = {
  instanceId: "test",
  production: true,
  serviceName: undefined,
  attributes: { "shop.name": "Größe \u{1f375}" },
};
const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** Two services whose spans go to one exporter. */
function recorder() {
  const spans: ReadableSpan[] = [];
  const processors = [{ onEnd: (span: ReadableSpan) => void spans.push(span) }];
  const [order, payment] = ["order", "payment"].map((service) =>
    createTracing({ service, facts, ratio: 1, processors }),
  );
  if (order === undefined || payment === undefined) throw new Error("two services");
  return { order, payment, spans };
}

const asTheSdk = (spans: ReadableSpan[]) => ProtobufTraceSerializer.serializeRequest(spans);

describe("an export in protobuf", () => {
  it("has the bytes that the SDK writes, for all that a span of ours may hold", () => {
    const { order, payment, spans } = recorder();
    const values = [
      ...[
        "",
        "plain",
        "é",
        "\u{1f375} tea",
        "\ud800",
        "\u0000\u007f\u0080",
        "x".repeat(48),
        "é".repeat(49),
        "y".repeat(500),
      ],
      ...[0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 + 5, 2 ** 53, 2 ** 62, 2 ** 63, 1.5, -1, -128, -(2 ** 40)],
      ...[Number.NaN, Number.POSITIVE_INFINITY, -0.25, true, false],
    ];
    const attributes = Object.fromEntries(values.map((value, index) => [`attribute.${index}`, value]));
    const root = order.begin("POST /api/orders", {
      traceparent: parent,
      start: () => ({ kind: "server", attributes }),
    });
    const links = Array.from({ length: 140 }, () => ({
      traceId: "f".repeat(32),
      spanId: "a".repeat(16),
      isSampled: false,
    }));
    const call = payment.begin("call", { traceparent: root?.traceparent, start: () => ({ kind: "client", links }) });
    call?.fail("unavailable");
    call?.end();
    for (const kind of ["producer", "consumer", "internal"] as const) root?.child(`größe ${kind}`, { kind }).end();
    root?.end();
    order.beginTrace("first of its trace", {}).end();
    expect(spans.map(({ droppedLinksCount }) => droppedLinksCount)).toContain(12);
    expect(Buffer.from(createTraceRequestWriter()(spans))).toEqual(Buffer.from(asTheSdk(spans) ?? []));
  });

  it("has them of each export, also after one that was far larger", () => {
    const { order, spans } = recorder();
    const write = createTraceRequestWriter();
    for (const count of [1, 512, 0, 3, 512]) {
      spans.length = 0;
      for (let n = 0; n < count; n += 1)
        order.beginTrace("work", { attributes: { a: "long ".repeat(n), b: `${n}`.repeat(400) } }).end();
      const copy = write(spans);
      expect(Buffer.from(copy).equals(Buffer.from(asTheSdk(spans) ?? []))).toBe(true);
    }
  });
});

describe("a span", () => {
  it("holds a bounded number of attributes and links, and texts of a bounded length, and counts the others", () => {
    const { order, spans } = recorder();
    const span = order.beginTrace("work", { attributes: { text: "é".repeat(5_000), toString: "own" } });
    for (let n = 0; n < 40; n += 1) span.set({ [`attribute.${n}`]: n, text: "t".repeat(5_000), left: undefined });
    for (let n = 0; n < 130; n += 1)
      span.link({ traceId: "f".repeat(32), spanId: n.toString(16).padStart(16, "0"), isSampled: true });
    span.end();
    const [ended] = spans;
    expect(ended).toMatchObject({ droppedAttributesCount: 10, droppedLinksCount: 2 });
    expect(Object.keys(ended?.attributes ?? {})).toHaveLength(32);
    expect(String(ended?.attributes.text)).toHaveLength(2_048);
    expect(ended?.links.map(({ context }) => Number.parseInt(context.spanId, 16))).toEqual(
      Array.from({ length: 128 }, (_, n) => n + 2),
    );
  });

  it("does not change after its end, and ends once", () => {
    const { order, spans } = recorder();
    const span = order.beginTrace("work", {});
    span.end();
    const sent = JsonTraceSerializer.serializeRequest(spans);
    span.rename("other");
    span.set({ late: true });
    span.fail("late");
    span.link({ traceId: "f".repeat(32), spanId: "a".repeat(16), isSampled: true });
    span.end();
    expect(spans).toHaveLength(1);
    expect(JsonTraceSerializer.serializeRequest(spans)).toEqual(sent);
  });

  it("lasts as long as its work, to the nanosecond that its times have", () => {
    const { order, spans } = recorder();
    for (let n = 0; n < 1_000; n += 1) order.beginTrace("work", {}).end();
    for (const { startTime, endTime, duration } of spans) {
      for (const [, nanoseconds] of [startTime, endTime, duration]) expect(nanoseconds).toBeLessThan(1_000_000_000);
      expect(endTime[0] - startTime[0] + (endTime[1] - startTime[1]) / 1e9).toBeGreaterThanOrEqual(0);
      expect(duration[0] + duration[1] / 1e9).toBeCloseTo(
        endTime[0] - startTime[0] + (endTime[1] - startTime[1]) / 1e9,
        5,
      );
    }
  });
});
