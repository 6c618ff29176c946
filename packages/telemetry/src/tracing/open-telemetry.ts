import { randomUUID } from "node:crypto";
import type { TelemetryConfig } from "../otlp.ts";
import type { ProcessFacts } from "../resource.ts";
import type { TakeLine } from "./export-lines.ts";
import type { Tracing } from "./tracing.ts";

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

/**
 * Opens the telemetry of a process. Nothing leaves it, and nothing is made for it, unless the configuration names where
 * to. A receiver that is down, slow or refuses costs what was to be exported, and no call its time.
 */
export async function openTelemetry(o: {
  readonly config: TelemetryConfig;
  readonly production: boolean;
  readonly onExportChange: OnExportChange;
}): Promise<Telemetry> {
  const { serviceName, resourceAttributes, traces, logs } = o.config;
  const facts: ProcessFacts = {
    instanceId: randomUUID(),
    production: o.production,
    serviceName,
    attributes: resourceAttributes,
  };
  if (traces === undefined && logs === undefined) return { facts, ...off };
  const { openExports } = await import("./open-exports.ts");
  return { facts, ...openExports(o.config, facts, o.onExportChange) };
}

const off: Omit<Telemetry, "facts"> = {
  tracingOf: () => undefined,
  loggingOf: () => ({ isTraced: false, takeLine: undefined }),
  close: async () => undefined,
};
