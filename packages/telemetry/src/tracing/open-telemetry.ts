import { randomUUID } from "node:crypto";
import type { TelemetryConfig } from "../otlp.ts";
import type { ProcessFacts } from "../resource.ts";
import type { AnswerHttp } from "../trace-ring/receive-otlp.ts";
import type { TraceRing } from "../trace-ring/trace-ring.ts";
import type { TakeLine } from "./export-lines.ts";
import type { Tracing } from "./tracing.ts";

/** The telemetry of a process. */
export interface Telemetry {
  /** What this process says of itself with every signal. */
  readonly facts: ProcessFacts;
  /** Returns the tracing of a service or the gateway in the process; undefined where no traces are recorded. */
  tracingOf(service: string): Tracing | undefined;
  /** Returns the options of its logger: whether lines have traces, and what exports or keeps them. */
  loggingOf(service: string): { readonly isTraced: boolean; readonly takeLine: TakeLine | undefined };
  /** The last traces of the system; undefined where none are kept. */
  readonly traces: TraceRing | undefined;
  /** Receives traces of other processes, for a port that only this machine reaches; undefined where none are kept. */
  readonly receiveTraces: AnswerHttp | undefined;
  /** Exports what waits, as far as it can within 2 s. Nothing is exported after it. */
  close(): Promise<void>;
}

/** Why exports fail, or that they succeed again. Called once for each change. */
export type OnExportChange = (signal: "traces" | "logs", failure: Error | undefined) => void;

/**
 * Opens the telemetry of a process. Nothing leaves it unless the configuration names where to. A receiver that is down,
 * slow or refuses costs what was to be exported, and no call its time. With `keepsTraces` the last traces are kept in
 * memory: in development, and unless OTEL_SDK_DISABLED is set. Where they are neither exported nor kept none is made.
 */
export async function openTelemetry(o: {
  readonly config: TelemetryConfig;
  readonly production: boolean;
  readonly keepsTraces?: boolean;
  readonly onExportChange: OnExportChange;
}): Promise<Telemetry> {
  const { disabled, serviceName, resourceAttributes, traces, logs } = o.config;
  const facts: ProcessFacts = {
    instanceId: randomUUID(),
    production: o.production,
    serviceName,
    attributes: resourceAttributes,
  };
  const keepsTraces = o.keepsTraces === true && !o.production && !disabled;
  if (traces === undefined && logs === undefined && !keepsTraces) return { facts, ...off };
  const { openExports } = await import("./open-exports.ts");
  return { facts, ...openExports(o.config, facts, { keepsTraces, onExportChange: o.onExportChange }) };
}

const off: Omit<Telemetry, "facts"> = {
  tracingOf: () => undefined,
  loggingOf: () => ({ isTraced: false, takeLine: undefined }),
  traces: undefined,
  receiveTraces: undefined,
  close: async () => undefined,
};
