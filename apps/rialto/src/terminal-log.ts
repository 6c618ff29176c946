import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Config, LogOutput } from "@rialto/service";
import { createLogger } from "@rialto/telemetry";

/**
 * At a terminal the log goes to a file in the data folder, so that what the person must read stays in sight. Anywhere else (a
 * container, a pipe) it goes to standard output, one JSON object a line, for whoever collects it.
 */
export function openLog(config: Config, terminal: boolean): LogOutput {
  const level = config.logLevel === undefined ? {} : { level: config.logLevel };
  if (!terminal)
    return { logOf: (service) => createLogger({ service, ...level }), file: undefined, flush: async () => undefined };
  mkdirSync(config.dataDir, { recursive: true });
  const file = join(config.dataDir, "rialto.log");
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  // A log that cannot be written (a full disk) ends the log and not the process.
  stream.on("error", ({ message }) => process.stderr.write(`The log cannot be written any more: ${message}\n`));
  return {
    logOf: (service) => createLogger({ service, ...level, destination: stream }),
    file,
    flush: () => new Promise((resolve) => stream.end(resolve)),
  };
}
