import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LogOutput } from "@rialto/service";
import type { Config } from "@rialto/service/config";
import { createLogger, type Telemetry } from "@rialto/telemetry";

/**
 * Opens the log. At a terminal it goes to a file in the data folder, so that the startup text stays in sight. Otherwise
 * (a container, a pipe) it goes to standard output, one JSON object per line.
 */
export function openLog(config: Config, telemetry: Pick<Telemetry, "loggingOf">, terminal: boolean): LogOutput {
  const level = config.logLevel === undefined ? {} : { level: config.logLevel };
  const optionsOf = (service: string) => ({ service, ...level, ...telemetry.loggingOf(service) });
  if (!terminal)
    return { logOf: (service) => createLogger(optionsOf(service)), file: undefined, flush: async () => undefined };
  mkdirSync(config.dataDir, { recursive: true });
  const file = join(config.dataDir, "rialto.log");
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  // If the log cannot be written (a full disk), logging ends and the process goes on.
  stream.on("error", ({ message }) => process.stderr.write(`The log cannot be written anymore: ${message}\n`));
  return {
    logOf: (service) => createLogger({ ...optionsOf(service), destination: stream }),
    file,
    flush: () => new Promise((resolve) => stream.end(resolve)),
  };
}
