import { createLogger, type Logger } from "@rialto/telemetry";
import { type Config, readEnvironment } from "../config/config.ts";
import type { ConfigScope } from "../config/required-variables.ts";
import type { ServiceDefinition } from "../define-service.ts";
import { announcementText } from "../startup-notice.ts";
import { onNpmGone } from "./npm-watch.ts";
import { runServices } from "./run-services.ts";
import { explainStartFailure } from "./start-failure.ts";

/** How long stopping may take behind the drain. An orchestrator kills what has not ended by then; better to say so ourselves, and exit. */
const stopMsMax = 4_800;

/** A process: what it is called, what it runs, and how it starts. */
export interface Main {
  readonly name: string;
  readonly scope: ConfigScope;
  /** Where the log goes; to standard output, a JSON object a line, where it is not given. */
  readonly openLog?: (config: Config) => LogOutput;
  readonly start: (o: {
    readonly config: Config;
    readonly log: Logger;
    readonly logOf: LogOutput["logOf"];
    readonly logFile: string | undefined;
  }) => Promise<{ stop(): Promise<void> }>;
}

/** Where a process logs to: the file if it is one, and a way to end it with nothing lost. */
export interface LogOutput {
  /** The log of one of those that run in the process, by whose name its lines are found. */
  logOf(name: string): Logger;
  readonly file: string | undefined;
  flush(): Promise<void>;
}

/**
 * Runs a process from its environment to its end. It reads the configuration, starts, and stops in order on SIGINT and SIGTERM, also
 * on one that comes while it starts. What keeps it from starting is said on standard error, a line each, and it exits with 1.
 */
export async function runMain(main: Main): Promise<void> {
  // Whoever gives up on standard output (a closed pipe) must not take the process down with an error nobody can read.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  const stopping = Promise.withResolvers<StopReason>();
  listenForSignals(stopping.resolve);
  let flush = async (): Promise<void> => undefined;
  try {
    const config = readEnvironment(main.scope);
    const output = main.openLog?.(config) ?? toStandardOutput(config);
    flush = output.flush;
    if (config.startedByNpm) onNpmGone(() => stopping.resolve({ reason: "npm is gone", code: 0 }));
    const { logOf, file: logFile } = output;
    const log = logOf(main.name);
    const running = await main.start({ config, log, logOf, logFile });
    const { reason, code } = await stopping.promise;
    log.info({ reason }, "stopping");
    const stopMs = config.drainSeconds * 1_000 + stopMsMax;
    const timer = setTimeout(() => {
      log.error({ stopMs }, "did not stop in time");
      process.exit(1);
    }, stopMs);
    await running.stop();
    log.info("stopped");
    clearTimeout(timer);
    await flush();
    process.exit(code);
  } catch (error) {
    for (const line of explainStartFailure(error)) process.stderr.write(`${main.name}: ${line}\n`);
    await flush();
    process.exit(1);
  }
}

/** Runs one service as a process of its own: all that an `apps/<service>/src/main.ts` has to say. */
export async function runProcess(service: ServiceDefinition): Promise<void> {
  const extraSchemas = service.schemas.map((schema) => schema.name).filter((name) => name !== service.name);
  await runMain({
    name: service.name,
    scope: { runs: [service.name], extraSchemas },
    async start({ config, log, logOf }) {
      const running = await runServices([service], { config, logOf, listens: true });
      log.info({ port: running.port }, "listening");
      for (const announcement of running.announcements)
        process.stderr.write(`Admin account: ${announcementText(announcement)}\n`);
      return running;
    },
  });
}

/** Runs work that ends by itself, with the same configuration and the same way to say what is wrong. */
export async function runTask(
  name: string,
  work: (o: { readonly config: Config; readonly log: Logger }) => Promise<void>,
): Promise<void> {
  try {
    const config = readEnvironment({ runs: [] });
    await work({ config, log: toStandardOutput(config).logOf(name) });
  } catch (error) {
    for (const line of explainStartFailure(error)) process.stderr.write(`${name}: ${line}\n`);
    process.exit(1);
  }
}

function toStandardOutput({ logLevel }: Config): LogOutput {
  const level = logLevel === undefined ? {} : { level: logLevel };
  return { logOf: (service) => createLogger({ service, ...level }), file: undefined, flush: async () => undefined };
}

interface StopReason {
  readonly reason: string;
  readonly code: number;
}

/** Ctrl-C comes twice under npm, from the terminal and from npm: the first reason counts, later ones change nothing. */
function listenForSignals(stop: (reason: StopReason) => void): void {
  process.on("SIGINT", () => stop({ reason: "SIGINT", code: 0 }));
  process.on("SIGTERM", () => stop({ reason: "SIGTERM", code: 0 }));
  // A defect. What it left half done nobody knows, so the process ends, in order, for another to take over.
  process.on("unhandledRejection", (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    stop({ reason: "unhandledRejection", code: 1 });
  });
}
