import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { collectMetrics } from "./metrics/metric-data.ts";
import { createMetricRegistry, type Metrics } from "./metrics/metrics.ts";
import { createTracing, type Tracing } from "./tracing/tracing.ts";

/** A span as a test reads it. */
export interface EndedSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly linkedSpanIds: readonly string[];
  readonly isFailed: boolean;
  /** In milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Records the spans of one service in memory, for tests. `spans` has those that have ended, in that order. */
export function recordSpans(o: { readonly ratio?: number } = {}): {
  readonly tracing: Tracing;
  spans(): readonly EndedSpan[];
} {
  const exporter = new InMemorySpanExporter();
  const tracing = createTracing({
    service: "test",
    facts: { instanceId: "test", production: false, serviceName: undefined, attributes: {} },
    ratio: o.ratio ?? 1,
    processors: [new SimpleSpanProcessor({ exporter })],
  });
  return { tracing, spans: () => exporter.getFinishedSpans().map(endedSpan) };
}

function endedSpan(span: ReadableSpan): EndedSpan {
  const { name, kind, parentSpanContext, attributes, links, status, startTime, endTime } = span;
  const { traceId, spanId } = span.spanContext();
  return {
    name,
    kind: SpanKind[kind].toLowerCase(),
    traceId,
    spanId,
    parentSpanId: parentSpanContext?.spanId,
    attributes,
    linkedSpanIds: links.map(({ context }) => context.spanId),
    isFailed: status.code === SpanStatusCode.ERROR,
    startMs: milliseconds(startTime),
    endMs: milliseconds(endTime),
  };
}

function milliseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

/**
 * Counts in memory, for tests. `read` returns the value of each series of a metric by its labels' values, as in
 * { "checkout processed": 3 }; of a histogram it is how many values were recorded.
 */
export function recordMetrics(): {
  readonly metrics: Metrics;
  read(name: string): Promise<Readonly<Record<string, number>>>;
} {
  const registry = createMetricRegistry();
  return {
    metrics: registry.of("test"),
    async read(name) {
      const found = (await collectMetrics(registry, new Date())).find(({ descriptor }) => descriptor.name === name);
      const points = (found?.dataPoints ?? []).map(({ attributes: { service: _, ...labels }, value }) => {
        const number = typeof value === "number" ? value : value.count;
        return [Object.values(labels).join(" "), number] as const;
      });
      return Object.fromEntries(points);
    },
  };
}
