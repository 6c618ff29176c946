export { createLineWriter, type WriteLine } from "./line-writer.ts";
export { createLogger, type Logger } from "./logger.ts";
export {
  cachedFor,
  createMetricRegistry,
  type MetricName,
  type MetricRegistry,
  type Metrics,
  type Reading,
} from "./metrics/metrics.ts";
export { type OpenMetrics, openMetrics } from "./metrics/open-metrics.ts";
export type { Counter, Family, Histogram, Labels } from "./metrics/series.ts";
export { addSharedGauge, sharedReadingMsMax } from "./metrics/shared-gauge.ts";
export type { OtlpTarget, TelemetryConfig } from "./otlp.ts";
export { allowedBaggage, boundedTracestate } from "./propagated-headers.ts";
export type { ProcessFacts } from "./resource.ts";
export {
  connectionInUse,
  databaseNames,
  httpNames,
  messagingNames,
  messagingOperations,
  messagingSystem,
  poolNames,
  postgresSystem,
  rialtoNames,
  rpcNames,
  rpcSystem,
  subjectName,
} from "./semantic-names.ts";
export { continueTrace, parseTraceparent, saysSampled, type Trace, type TraceParent } from "./trace.ts";
export type { KeptLine, KeptSpan, KeptTrace } from "./trace-ring/kept-trace.ts";
export type { TraceRing } from "./trace-ring/trace-ring.ts";
export type { TakeLine } from "./tracing/export-lines.ts";
export { openTelemetry, type Telemetry } from "./tracing/open-telemetry.ts";
export {
  type Attributes,
  currentSpan,
  errorWord,
  type RecordedSpan,
  runForAll,
  runSpan,
  runUnrecorded,
  type SpanStart,
} from "./tracing/span.ts";
export type { Tracing } from "./tracing/tracing.ts";
