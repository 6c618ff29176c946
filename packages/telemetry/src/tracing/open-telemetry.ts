import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace";
import type { TelemetryConfig } from "../otlp.ts";
import { newInstanceId, type ProcessFacts } from "../resource.ts";
import { exportLines, type TakeLine } from "./export-lines.ts";
import { logExporter, type OnExported, spanExporter } from "./otlp-exporters.ts";
import { createTracing, type Tracing } from "./tracing.ts";

/** The telemetry of a process. */
export interface Telemetry {
  /** What this process says of itself with every signal. */
  readonly facts: ProcessFacts;
  /** Returns the tracing of a service or the gateway in the process; undefined where no traces are exported. */
  tracingOf(service: string): Tracing | undefined;
  /** Returns the options of its logger: whether lines have traces, and what exports them where logs are exported. */
  loggingOf(service: string): { readonly isTraced: boolean; readonly takeLine: TakeLine | undefined };
  /** Exports what waits, as far as it can within 2 s. Nothing is exported after it. */
  close(): Promise<void>;
}

/** Why exports fail, or that they succeed again. Called once for each change. */
export type OnExportChange = (signal: "traces" | "logs", failure: Error | undefined) => void;

/** Ended spans and log records that wait for their export. More are dropped: no call ever waits for a collector. */
const spansWaitingMax = 8_192;
const recordsWaitingMax = 8_192;
/** Of one export. */
const spansMax = 512;
const recordsMax = 512;
/** How long they wait for others. */
const exportDelayMs = 1_000;
/** How much longer than an export its processor waits: the exporter gives up first. */
const exportMarginMs = 1_000;
const closeMsMax = 2_000;

/**
 * Opens the telemetry of a process. Nothing leaves it, and nothing is made for it, unless the configuration names where
 * to. A receiver that is down, slow or refuses costs what was to be exported, and no call its time.
 */
export function openTelemetry(o: {
  readonly config: TelemetryConfig;
  readonly production: boolean;
  readonly onExportChange: OnExportChange;
}): Telemetry {
  const { serviceName, resourceAttributes, traces, logs, samplingRatio } = o.config;
  const facts: ProcessFacts = {
    instanceId: newInstanceId(),
    production: o.production,
    serviceName,
    attributes: resourceAttributes,
  };
  const spans =
    traces === undefined
      ? undefined
      : new BatchSpanProcessor({
          exporter: spanExporter(traces, onChange("traces", o.onExportChange)),
          maxQueueSize: spansWaitingMax,
          maxExportBatchSize: spansMax,
          scheduledDelayMillis: exportDelayMs,
          exportTimeoutMillis: traces.timeoutMs + exportMarginMs,
        });
  const records =
    logs === undefined
      ? undefined
      : new BatchLogRecordProcessor({
          exporter: logExporter(logs, onChange("logs", o.onExportChange)),
          maxQueueSize: recordsWaitingMax,
          maxExportBatchSize: recordsMax,
          scheduledDelayMillis: exportDelayMs,
          exportTimeoutMillis: logs.timeoutMs + exportMarginMs,
        });
  return {
    facts,
    tracingOf: (service) =>
      spans === undefined ? undefined : createTracing({ service, facts, ratio: samplingRatio, processor: spans }),
    loggingOf: (service) => ({
      isTraced: spans !== undefined,
      takeLine: records === undefined ? undefined : exportLines(service, facts, records),
    }),
    async close() {
      const closed = Promise.allSettled([spans?.shutdown(), records?.shutdown()]);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, closeMsMax);
      });
      await Promise.race([closed, late]);
      clearTimeout(timer);
    },
  };
}

/** Reports the first failure in a row, and the first success after it. */
function onChange(signal: "traces" | "logs", report: OnExportChange): OnExported {
  let isFailing = false;
  return (error) => {
    if (error === undefined ? !isFailing : isFailing) return;
    isFailing = error !== undefined;
    report(signal, error);
  };
}
