import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { OtlpTarget } from "../otlp.ts";
import { type ProcessFacts, resourceOf } from "../resource.ts";
import { metricExporter, type OnExported } from "../tracing/otlp-exporters.ts";
import { collectMetrics } from "./metric-data.ts";
import { createMetricRegistry, type MetricRegistry } from "./metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { serveMetrics } from "./serve-metrics.ts";

/** The metrics of a process that somebody reads. */
export interface OpenMetrics {
  readonly registry: MetricRegistry;
  /** The port of Prometheus' text, where it is served. */
  readonly port: number | undefined;
  /** Exports what is there, as far as it can within 2 s, and closes the port. */
  close(): Promise<void>;
}

/** How often metrics are exported, which is OpenTelemetry's default. */
const exportIntervalMs = 60_000;
const closeMsMax = 2_000;

/**
 * Opens the metrics of a process: served in Prometheus' text on a port of their own where `admin` is given, and sent by
 * OTLP where `otlp` is. Returns undefined where neither is: nothing is counted then. Rejects with Node's error where
 * the port is in use.
 */
export async function openMetrics(o: {
  /** The name of the process. */
  readonly name: string;
  readonly facts: ProcessFacts;
  readonly admin: { readonly port: number; readonly host: string } | undefined;
  readonly otlp: OtlpTarget | undefined;
  readonly onExported: OnExported;
}): Promise<OpenMetrics | undefined> {
  const { admin, otlp } = o;
  if (admin === undefined && otlp === undefined) return undefined;
  const registry = createMetricRegistry();
  const server = admin === undefined ? undefined : await serveMetrics(registry, admin);
  const stopMeasuring = addProcessMetrics(registry.of(o.name));
  const provider = otlp === undefined ? undefined : sendTo(otlp, registry, o);
  return {
    registry,
    port: server?.port,
    async close() {
      stopMeasuring();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, closeMsMax);
      });
      await Promise.race([Promise.allSettled([provider?.shutdown(), server?.close()]), late]);
      clearTimeout(timer);
    },
  };
}

function sendTo(
  otlp: OtlpTarget,
  registry: MetricRegistry,
  { name, facts, onExported }: { readonly name: string; readonly facts: ProcessFacts; readonly onExported: OnExported },
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
