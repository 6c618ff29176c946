import { callerNames, runMain } from "@rialto/service";
import { readyText } from "./ready-text.ts";
import { startRialto } from "./rialto.ts";
import { declaredVariables } from "./services.ts";
import { openLog } from "./terminal-log.ts";

await runMain({
  name: "rialto",
  scope: { runs: callerNames, extraSchemas: ["card_network"], variables: declaredVariables },
  openLog: (config, telemetry) => openLog(config, telemetry, process.stdout.isTTY),
  async start({ config, logOf, logFile, telemetry, metrics }) {
    const rialto = await startRialto({ config, logOf, telemetry, metrics });
    const { port, startupNotices } = rialto;
    process.stdout.write(`${readyText({ port, config, startupNotices, logFile })}\n`);
    return rialto;
  },
});
