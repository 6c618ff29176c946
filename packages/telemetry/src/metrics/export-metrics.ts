import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { OtlpTarget } from "../otlp.ts";
import { type ProcessFacts, resourceOf } from "../resource.ts";
import { metricExporter, type OnExported } from "../tracing/otlp-exporters.ts";
import { collectMetrics } from "./metric-data.ts";
import type { MetricRegistry } from "./metrics.ts";

/** How often metrics are exported, which is OpenTelemetry's default. */
const exportIntervalMs = 60_000;

/** Exports the metrics of a process by OTLP until the returned provider is shut down, which exports once more. */
export function exportMetrics(
  registry: MetricRegistry,
  {
    otlp,
    name,
    facts,
    onExported,
  }: {
    readonly otlp: OtlpTarget;
    readonly name: string;
    readonly facts: ProcessFacts;
    readonly onExported: OnExported;
  },
): MeterProvider {
  const resource = resourceOf(name, facts);
  const startedAt = new Date();
  const producer = {
    async collect() {
      const metrics = await collectMetrics(registry, startedAt);
      return { resourceMetrics: { resource, scopeMetrics: [{ scope: { name: "rialto" }, metrics }] }, errors: [] };
    },
  };
  const reader = new PeriodicExportingMetricReader({
    exporter: metricExporter(otlp, onExported),
    exportIntervalMillis: exportIntervalMs,
    exportTimeoutMillis: Math.min(otlp.timeoutMs, exportIntervalMs),
    metricProducers: [producer],
  });
  return new MeterProvider({ resource, readers: [reader] });
}
