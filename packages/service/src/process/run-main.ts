import {
  createLogger,
  type Logger,
  type MetricRegistry,
  openMetrics,
  openTelemetry,
  type Telemetry,
} from "@rialto/telemetry";
import { type Config, readEnvironment } from "../config/config.ts";
import type { ConfigScope } from "../config/required-variables.ts";
import { ConfigurationError } from "../config/variable.ts";
import { boundHeapGrowth } from "./heap-growth.ts";
import { onNpmGone } from "./npm-watch.ts";
import { stopTimesOf } from "./stop-times.ts";

/** How much earlier than an orchestrator expects it a process exits that could not close everything. */
const exitMarginMs = 200;

/** A process: its name, what it runs, and how it starts. */
export interface Main {
  readonly name: string;
  readonly scope: ConfigScope;
  /** Opens the log. By default it goes to standard output, one JSON object per line. */
  readonly openLog?: (config: Config, telemetry: Telemetry) => LogOutput;
  readonly start: (o: {
    readonly config: Config;
    readonly log: Logger;
    readonly logOf: LogOutput["logOf"];
    readonly logFile: string | undefined;
    readonly telemetry: Telemetry;
    /** Undefined where nobody reads them. */
    readonly metrics: MetricRegistry | undefined;
  }) => Promise<{ stop(): Promise<void> }>;
}

/** The log of a process. */
export interface LogOutput {
  /** Returns the logger of a service or gateway in the process. Its name is a field of each line. */
  logOf(name: string): Logger;
  /** The path, if the log goes to a file. */
  readonly file: string | undefined;
  /** Writes what is buffered. */
  flush(): Promise<void>;
}

/**
 * Runs a process: reads the configuration, starts, and stops in order on SIGINT and SIGTERM, also if the signal arrives
 * during the start. Its heap grows less between collections than V8 would let it. If it cannot start, it writes the
 * reasons to standard error, one per line, and exits with 1.
 */
export async function runMain(main: Main): Promise<void> {
  boundHeapGrowth();
  // A reader that closes the pipe of standard output must not crash the process.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  const stopping = Promise.withResolvers<StopReason>();
  listenForSignals(stopping.resolve);
  let flush = async (): Promise<void> => undefined;
  try {
    const config = readEnvironment(main.scope);
    const telemetry = await openTelemetry({
      config: config.telemetry,
      production: config.production,
      // The others send theirs to it.
      keepsTraces: main.scope.runs.includes("gateway") && config.keepsTraces,
      onExportChange: (signal, failure) => reportExport(output.logOf(main.name), signal, failure),
    });
    const output: LogOutput = main.openLog?.(config, telemetry) ?? toStandardOutput(config, telemetry);
    const opened = await openMetrics({
      name: main.name,
      facts: telemetry.facts,
      admin: config.admin,
      others: telemetry.receiveTraces,
      otlp: config.telemetry.metrics,
      onExported: onChange((failure) => reportExport(output.logOf(main.name), "metrics", failure)),
    });
    flush = async () => {
      await Promise.all([telemetry.close(), opened?.close()]);
      await output.flush();
    };
    if (config.startedByNpm) onNpmGone(() => stopping.resolve({ reason: "npm is gone", code: 0 }));
    const { logOf, file: logFile } = output;
    const log = logOf(main.name);
    if (opened?.port !== undefined) log.info({ port: opened.port, host: config.admin?.host }, "metrics are served");
    const running = await main.start({ config, log, logOf, logFile, telemetry, metrics: opened?.registry });
    const { reason, code } = await stopping.promise;
    log.info({ reason }, "stopping");
    const { exitMs } = stopTimesOf(config);
    const timer = setTimeout(() => {
      log.error({ exitMs }, "stop timed out");
      process.exit(1);
    }, exitMs - exitMarginMs);
    await running.stop();
    log.info("stopped");
    clearTimeout(timer);
    await flush();
    process.exit(code);
  } catch (error) {
    for (const line of await linesOf(error)) process.stderr.write(`${main.name}: ${line}\n`);
    await flush();
    process.exit(1);
  }
}

/** Runs a command to its end, with the same configuration and error reporting as a process. */
export async function runTask(
  name: string,
  work: (o: { readonly config: Config; readonly log: Logger }) => Promise<void>,
): Promise<void> {
  try {
    const config = readEnvironment({ runs: [] });
    await work({ config, log: createLogger({ service: name, ...levelOf(config) }) });
  } catch (error) {
    for (const line of await linesOf(error)) process.stderr.write(`${name}: ${line}\n`);
    process.exit(1);
  }
}

/** Loads what knows the errors of all parts only here: a process whose configuration is wrong has not loaded them. */
async function linesOf(error: unknown): Promise<readonly string[]> {
  if (error instanceof ConfigurationError) return error.lines;
  const { explainStartFailure } = await import("./start-failure.ts");
  return explainStartFailure(error);
}

function toStandardOutput(config: Config, telemetry: Telemetry): LogOutput {
  const level = levelOf(config);
  return {
    logOf: (service) => createLogger({ service, ...level, ...telemetry.loggingOf(service) }),
    file: undefined,
    flush: async () => undefined,
  };
}

function levelOf({ logLevel }: Config): { readonly level?: string } {
  return logLevel === undefined ? {} : { level: logLevel };
}

/** Reports the first failure in a row, and the first success after it. */
function onChange(report: (failure: Error | undefined) => void): (failure: Error | undefined) => void {
  let isFailing = false;
  return (failure) => {
    if ((failure !== undefined) === isFailing) return;
    isFailing = failure !== undefined;
    report(failure);
  };
}

/** Calls go on whatever becomes of an export. What it was to tell is lost while the receiver refuses it. */
function reportExport(log: Logger, signal: string, failure: Error | undefined): void {
  if (failure === undefined) log.info({ signal }, "telemetry is exported again");
  else log.warn({ signal, reason: failure.message }, "telemetry is not exported");
}

interface StopReason {
  readonly reason: string;
  readonly code: number;
}

/** Under npm, Ctrl-C arrives twice, from the terminal and from npm. The first reason counts; later ones are ignored. */
function listenForSignals(stop: (reason: StopReason) => void): void {
  process.on("SIGINT", () => stop({ reason: "SIGINT", code: 0 }));
  process.on("SIGTERM", () => stop({ reason: "SIGTERM", code: 0 }));
  // A defect, in an unknown state: the process stops in order, and another one takes over.
  process.on("unhandledRejection", (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    stop({ reason: "unhandledRejection", code: 1 });
  });
}
