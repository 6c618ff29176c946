import { setImmediate } from "node:timers/promises";
import { callerNames, defaultPorts } from "@rialto/service/config";
import { runMain } from "@rialto/service/main";
import { startOwnPostgres } from "./embedded-postgres.ts";
import { requireFreePort } from "./free-port.ts";
import { openLog } from "./terminal-log.ts";
import { declaredVariables } from "./variables.ts";

// Loads no service before the configuration is read and an embedded Postgres has begun to start, and to make its folder
// the first time: it does so while they are loaded, which takes as long.
await runMain({
  name: "rialto",
  scope: { runs: callerNames, extraSchemas: ["card_network"], variables: declaredVariables },
  openLog: (config, telemetry) => openLog(config, telemetry, process.stdout.isTTY),
  async start({ config, log, logOf, logFile, telemetry, metrics }) {
    await requireFreePort(config.port ?? defaultPorts.gateway, config.host);
    const begun = Promise.withResolvers<void>();
    const ownPostgres = startOwnPostgres({ config, log, onProgram: begun.resolve });
    // Whoever waits for it gets the error.
    await Promise.race([begun.promise, ownPostgres.catch(() => undefined)]);
    await loadServices();
    const { startRialto } = await import("./rialto.ts");
    const { readyText } = await import("./ready-text.ts");
    const rialto = await startRialto({ config, logOf, telemetry, metrics, ownPostgres });
    const { port, startupNotices } = rialto;
    process.stdout.write(`${readyText({ port, config, startupNotices, logFile })}\n`);
    return rialto;
  },
});

/**
 * Loads the largest parts one by one. Loading keeps the event loop from turning, and a server whose folder was made
 * meanwhile is started by a turn.
 */
async function loadServices(): Promise<void> {
  const parts = [
    () => import("@rialto/contracts"),
    () => import("@rialto/database"),
    () => import("@rialto/events"),
    () => import("@rialto/service"),
    () => import("@rialto/gateway"),
  ];
  for (const load of parts) {
    await load();
    await setImmediate();
  }
}
