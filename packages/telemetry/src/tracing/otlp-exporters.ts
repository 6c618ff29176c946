import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base";
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from "@opentelemetry/otlp-exporter-base/node-http";
import {
  type IExporterMetricsHelper,
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import type { LogRecordExporter } from "@opentelemetry/sdk-logs";
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { OtlpTarget } from "../otlp.ts";

/** Exports in flight to one receiver. More wait in the queue of the processor. */
const exportsAtOnceMax = 4;

/** Learns of each export how it ended. */
export type OnExported = (error: Error | undefined) => void;

/** Creates what sends spans to an OTLP receiver. */
export function spanExporter(target: OtlpTarget, onExported: OnExported): SpanExporter {
  const serializer = target.protocol === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  return exporter(target, serializer, TraceExporterMetricsHelper, onExported);
}

/** Creates what sends log records to an OTLP receiver. */
export function logExporter(target: OtlpTarget, onExported: OnExported): LogRecordExporter {
  const serializer = target.protocol === "http/json" ? JsonLogsSerializer : ProtobufLogsSerializer;
  return exporter(target, serializer, LogsExporterMetricsHelper, onExported);
}

/** Creates what sends metrics to an OTLP receiver. */
export function metricExporter(target: OtlpTarget, onExported: OnExported): PushMetricExporter {
  const serializer = target.protocol === "http/json" ? JsonMetricsSerializer : ProtobufMetricsSerializer;
  return exporter(target, serializer, MetricsExporterMetricsHelper, onExported);
}

function exporter<Items, Response>(
  { url, protocol, headers, timeoutMs }: OtlpTarget,
  serializer: ISerializer<Items, Response>,
  metrics: IExporterMetricsHelper<Items>,
  onExported: OnExported,
) {
  const contentType = protocol === "http/json" ? "application/json" : "application/x-protobuf";
  const inner = new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      {
        url,
        headers: async () => ({ ...headers, "Content-Type": contentType }),
        timeoutMillis: timeoutMs,
        concurrencyLimit: exportsAtOnceMax,
        compression: "none",
        agentFactory: httpAgentFactoryFromOptions({ keepAlive: true }),
      },
      serializer,
      "otlp_http_exporter",
      metrics,
      undefined,
    ),
  );
  return {
    export(items: Items, done: Parameters<typeof inner.export>[1]) {
      inner.export(items, (result) => {
        onExported(result.error);
        done(result);
      });
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  };
}
