import { callerNames, defaultPorts } from "@rialto/service/config";
import { runMain } from "@rialto/service/main";
import { startOwnPostgres } from "./embedded-postgres.ts";
import { requireFreePort } from "./free-port.ts";
import { openLog } from "./terminal-log.ts";
import { declaredVariables } from "./variables.ts";

// Loads no service before the configuration is read: an embedded Postgres starts, and makes its folder the first time,
// while they are loaded, which takes as long.
await runMain({
  name: "rialto",
  scope: { runs: callerNames, extraSchemas: ["card_network"], variables: declaredVariables },
  openLog: (config, telemetry) => openLog(config, telemetry, process.stdout.isTTY),
  async start({ config, log, logOf, logFile, telemetry, metrics }) {
    await requireFreePort(config.port ?? defaultPorts.gateway, config.host);
    const ownPostgres = startOwnPostgres({ config, log });
    // Whoever waits for it gets the error.
    ownPostgres.catch(() => undefined);
    const { startRialto } = await import("./rialto.ts");
    const { readyText } = await import("./ready-text.ts");
    const rialto = await startRialto({ config, logOf, telemetry, metrics, ownPostgres });
    const { port, startupNotices } = rialto;
    process.stdout.write(`${readyText({ port, config, startupNotices, logFile })}\n`);
    return rialto;
  },
});
