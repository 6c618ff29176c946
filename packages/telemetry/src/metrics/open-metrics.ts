import { withTimeout } from "@rialto/async";
import type { OtlpTarget } from "../otlp.ts";
import type { ProcessFacts } from "../resource.ts";
import type { AnswerHttp } from "../trace-ring/receive-otlp.ts";
import type { OnExported } from "../tracing/otlp-exporters.ts";
import { createMetricRegistry, type MetricRegistry } from "./metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";

/** The metrics of a process that somebody reads. */
export interface OpenMetrics {
  readonly registry: MetricRegistry;
  /** The port of Prometheus' text, where it is served. */
  readonly port: number | undefined;
  /** Exports what is there, as far as it can within 2 s, and closes the port. */
  close(): Promise<void>;
}

const closeMsMax = 2_000;

/**
 * Opens the metrics of a process: served in Prometheus' text on a port of their own where `admin` is given, and sent by
 * OTLP where `otlp` is. Returns undefined where neither is: nothing is counted then, and the SDK is not even loaded.
 * Rejects with Node's error where the port is in use.
 */
export async function openMetrics(o: {
  /** The name of the process. */
  readonly name: string;
  readonly facts: ProcessFacts;
  readonly admin: { readonly port: number; readonly host: string } | undefined;
  /** What else is answered on that port, where only this machine reaches it. */
  readonly others?: AnswerHttp | undefined;
  readonly otlp: OtlpTarget | undefined;
  readonly onExported: OnExported;
}): Promise<OpenMetrics | undefined> {
  const { admin, otlp, others } = o;
  if (admin === undefined && otlp === undefined) return undefined;
  const registry = createMetricRegistry();
  const server =
    admin === undefined
      ? undefined
      : await (await import("./serve-metrics.ts")).serveMetrics(registry, { ...admin, others });
  const stopMeasuring = addProcessMetrics(registry.of(o.name));
  const exported =
    otlp === undefined ? undefined : (await import("./export-metrics.ts")).exportMetrics(registry, { ...o, otlp });
  return {
    registry,
    port: server?.port,
    async close() {
      stopMeasuring();
      await withTimeout(Promise.allSettled([exported?.shutdown(), server?.close()]), closeMsMax, undefined);
    },
  };
}
