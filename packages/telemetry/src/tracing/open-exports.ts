import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace";
import { withTimeout } from "@rialto/async";
import type { TelemetryConfig } from "../otlp.ts";
import type { ProcessFacts } from "../resource.ts";
import { exportLines } from "./export-lines.ts";
import type { OnExportChange, Telemetry } from "./open-telemetry.ts";
import { logExporter, type OnExported, spanExporter } from "./otlp-exporters.ts";
import { createTracing } from "./tracing.ts";

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

/** Opens what exports traces and logs. A module of its own: where nothing is exported, the SDK is not even loaded. */
export function openExports(
  { traces, logs, samplingRatio }: Pick<TelemetryConfig, "traces" | "logs" | "samplingRatio">,
  facts: ProcessFacts,
  onExportChange: OnExportChange,
): Omit<Telemetry, "facts"> {
  const spans =
    traces === undefined
      ? undefined
      : new BatchSpanProcessor({
          exporter: spanExporter(traces, onChange("traces", onExportChange)),
          maxQueueSize: spansWaitingMax,
          maxExportBatchSize: spansMax,
          scheduledDelayMillis: exportDelayMs,
          exportTimeoutMillis: traces.timeoutMs + exportMarginMs,
        });
  const records =
    logs === undefined
      ? undefined
      : new BatchLogRecordProcessor({
          exporter: logExporter(logs, onChange("logs", onExportChange)),
          maxQueueSize: recordsWaitingMax,
          maxExportBatchSize: recordsMax,
          scheduledDelayMillis: exportDelayMs,
          exportTimeoutMillis: logs.timeoutMs + exportMarginMs,
        });
  return {
    tracingOf: (service) =>
      spans === undefined ? undefined : createTracing({ service, facts, ratio: samplingRatio, processor: spans }),
    loggingOf: (service) => ({
      isTraced: spans !== undefined,
      takeLine: records === undefined ? undefined : exportLines(service, facts, records),
    }),
    async close() {
      await withTimeout(Promise.allSettled([spans?.shutdown(), records?.shutdown()]), closeMsMax, undefined);
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
