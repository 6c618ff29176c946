import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from "pino";
import { isoTime } from "./iso-time.ts";
import { redacted, redactedError, redactedValue } from "./redact.ts";
import { writeLinesTo } from "./standard-output.ts";
import type { TakeLine } from "./tracing/export-lines.ts";
import { currentSpan } from "./tracing/span.ts";

export type Logger = PinoLogger;

/**
 * Makes a logger that writes one JSON line per entry to stdout.
 *
 * Each line has the service's name. Secrets are redacted by field name. Errors logged as `err` or `error` keep their
 * stack and their causes. Writing is synchronous, so that the last line before an exit is not lost. If stdout does not
 * accept lines (a full disk), they are lost and the process goes on.
 *
 * Where the process is traced, a line of work whose span is recorded has the ids of its trace and span, unless it has a
 * trace already. `takeLine` gets each line as it was written.
 */
export function createLogger(o: {
  service: string;
  level?: string;
  destination?: DestinationStream;
  isTraced?: boolean;
  takeLine?: TakeLine | undefined;
}): Logger {
  const options = {
    level: o.level ?? "info",
    base: { service: o.service },
    timestamp: isoTime(),
    formatters: { level: (label: string) => ({ level: label }), log: redacted },
    serializers: { err: writtenError, error: writtenError },
    hooks: { logMethod: redactInterpolated },
    ...(o.isTraced === true ? { mixin: traceOfWork, mixinMergeStrategy: withTrace } : {}),
  };
  const destination = o.destination ?? writeLinesTo(1);
  return redactBindings(pino(options, o.takeLine === undefined ? destination : both(destination, o.takeLine)));
}

/** Marks a logger whose lines have the trace of a call. */
const hasTrace = Symbol("has trace");

const nothing: object = Object.freeze({});

/** The fields of the trace, for a line that has none. */
function traceOfWork(line: object, _level: number, logger: object): object {
  const span = currentSpan();
  if (span === undefined || hasTrace in logger || "traceId" in line) return nothing;
  return { traceId: span.traceId, spanId: span.spanId };
}

function withTrace(line: object, trace: object): object {
  return trace === nothing ? line : { ...trace, ...line };
}

function both(destination: DestinationStream, takeLine: TakeLine): DestinationStream {
  return {
    write(line) {
      destination.write(line);
      takeLine(line);
    },
  };
}

/** Serializes an error. What is none is kept as it is, whatever its type says. */
function writtenError(error: Error): unknown {
  return redactedError(stdSerializers.err(error));
}

/** Redacts the values that are written into the text of a message. */
function redactInterpolated(this: Logger, args: Parameters<pino.LogFn>, method: pino.LogFn): void {
  const values = typeof args[0] === "string" ? 1 : 2;
  if (args.length <= values) method.apply(this, args);
  else method.apply(this, args.map((arg, index) => (index < values ? arg : redactedValue(arg))) as typeof args); // As many.
}

/** Redacts what a child writes with each of its lines, once. The children of children inherit it. */
function redactBindings(logger: Logger): Logger {
  const { child, setBindings } = logger;
  return Object.assign(logger, {
    child(this: Logger, bindings: pino.Bindings, options?: pino.ChildLoggerOptions): Logger {
      const made = Reflect.apply(child, this, [redacted(bindings), options]);
      return "traceId" in bindings ? Object.assign(made, { [hasTrace]: true }) : made;
    },
    setBindings(this: Logger, bindings: pino.Bindings): void {
      setBindings.call(this, redacted(bindings));
    },
  });
}
