import { BatchLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace";
import { withTimeout } from "@rialto/async";
import type { TelemetryConfig } from "../otlp.ts";
import type { ProcessFacts } from "../resource.ts";
import { keptLine } from "../trace-ring/kept-line.ts";
import { createOtlpReceiver } from "../trace-ring/receive-otlp.ts";
import { ringProcessor } from "../trace-ring/ring-processor.ts";
import { createTraceRing, type TraceRing } from "../trace-ring/trace-ring.ts";
import { exportLines, type TakeLine } from "./export-lines.ts";
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

/**
 * Opens what exports traces and logs, and what keeps the last traces. A module of its own: where there is neither, the
 * SDK is not even loaded.
 */
export function openExports(
  { traces, logs, samplingRatio }: Pick<TelemetryConfig, "traces" | "logs" | "samplingRatio">,
  facts: ProcessFacts,
  { keepsTraces, onExportChange }: { readonly keepsTraces: boolean; readonly onExportChange: OnExportChange },
): Omit<Telemetry, "facts"> {
  const ring = keepsTraces ? createTraceRing() : undefined;
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
  const processors = [...(spans === undefined ? [] : [spans]), ...(ring === undefined ? [] : [ringProcessor(ring)])];
  return {
    tracingOf: (service) =>
      processors.length === 0 ? undefined : createTracing({ service, facts, ratio: samplingRatio, processors }),
    loggingOf(service) {
      const exported = records === undefined ? undefined : exportLines(service, facts, records);
      return { isTraced: processors.length > 0, takeLine: ring === undefined ? exported : keepLines(ring, exported) };
    },
    traces: ring,
    receiveTraces: ring === undefined ? undefined : createOtlpReceiver(ring, facts.instanceId),
    async close() {
      await withTimeout(Promise.allSettled([spans?.shutdown(), records?.shutdown()]), closeMsMax, undefined);
    },
  };
}

/** Takes the lines that belong to a trace, beside what takes all of them. */
function keepLines(ring: TraceRing, others: TakeLine | undefined): TakeLine {
  return (text) => {
    others?.(text);
    const line = keptLine(text);
    if (line !== undefined) ring.addLine(line);
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
