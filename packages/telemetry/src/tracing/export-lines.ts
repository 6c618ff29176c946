import { type Logger as OtelLogger, ROOT_CONTEXT, SeverityNumber, TraceFlags, trace } from "@opentelemetry/api";
import { LoggerProvider, type LogRecordProcessor } from "@opentelemetry/sdk-logs";
import { exceptionFields } from "../exception-fields.ts";
import { type ProcessFacts, resourceOf } from "../resource.ts";

/** Takes a line of a log, as it was written: one JSON object. */
export type TakeLine = (line: string) => void;

const severities: Readonly<Record<string, SeverityNumber>> = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

/** The longest text of a record that is exported. A stack is longer than that at most once in a while. */
const recordLimits = { attributeValueLengthLimit: 8_192, attributeCountLimit: 48 } as const;

/**
 * Returns what exports the lines of one service's log. The record is made of the line that was written, after its
 * secrets were redacted, so that nothing is exported that is not in the log.
 */
export function exportLines(service: string, facts: ProcessFacts, processor: LogRecordProcessor): TakeLine {
  const provider = new LoggerProvider({
    resource: resourceOf(service, facts),
    logRecordLimits: recordLimits,
    processors: [processor],
  });
  const logger = provider.getLogger("rialto");
  return (line) => {
    const fields = parse(line);
    if (fields !== undefined) emit(logger, fields);
  };
}

function emit(
  logger: OtelLogger,
  { level, time, msg, service: _, traceId, spanId, err, ...rest }: Readonly<Record<string, unknown>>,
): void {
  const isTraced = typeof traceId === "string" && typeof spanId === "string";
  const severity = typeof level === "string" ? severities[level] : undefined;
  logger.emit({
    ...(typeof time === "string" ? { timestamp: new Date(time) } : {}),
    severityNumber: severity ?? SeverityNumber.UNSPECIFIED,
    ...(typeof level === "string" ? { severityText: level } : {}),
    ...(typeof msg === "string" ? { body: msg } : {}),
    attributes: {
      ...flat(rest),
      ...exceptionFields(err),
      ...(isTraced || typeof traceId !== "string" ? {} : { traceId }),
    },
    context: isTraced
      ? trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.NONE })
      : ROOT_CONTEXT,
  });
}

/** Attributes are plain values here: an object is written as its JSON. */
function flat(fields: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const all: Record<string, string | number | boolean> = {};
  for (const name in fields) {
    const value = fields[name];
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") all[name] = value;
    else if (value !== undefined && value !== null) all[name] = JSON.stringify(value);
  }
  return all;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // A line of ours is one object.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
