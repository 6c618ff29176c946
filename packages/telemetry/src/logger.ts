import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from "pino";
import { isoTime } from "./iso-time.ts";
import { redacted, redactedError, redactedValue } from "./redact.ts";

export type Logger = PinoLogger;

/**
 * Makes a logger that writes one JSON line per entry to stdout.
 *
 * Each line has the service's name. Secrets are redacted by field name. Errors logged as `err` or `error` keep their
 * stack and their causes. Writing is synchronous, so that the last line before an exit is not lost. If stdout does not
 * accept lines (a full disk), they are lost and the process goes on.
 */
export function createLogger(o: { service: string; level?: string; destination?: DestinationStream }): Logger {
  const options = {
    level: o.level ?? "info",
    base: { service: o.service },
    timestamp: isoTime(),
    formatters: { level: (label: string) => ({ level: label }), log: redacted },
    serializers: { err: writtenError, error: writtenError },
    hooks: { logMethod: redactInterpolated },
  };
  return redactBindings(pino(options, o.destination ?? standardOutput()));
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
      return Reflect.apply(child, this, [redacted(bindings), options]);
    },
    setBindings(this: Logger, bindings: pino.Bindings): void {
      setBindings.call(this, redacted(bindings));
    },
  });
}

function standardOutput(): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: true });
  stream.on("error", () => undefined);
  return stream;
}
