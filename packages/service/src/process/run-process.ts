import type { ServiceDefinition } from "../define-service.ts";
import { startupNoticeText } from "../startup-notice.ts";
import { runMain } from "./run-main.ts";
import { runServices } from "./run-services.ts";

/** Runs one service as a process of its own. Every `apps/<service>/src/main.ts` calls it. */
export async function runProcess(service: ServiceDefinition): Promise<void> {
  const extraSchemas = service.schemas.map((schema) => schema.name).filter((name) => name !== service.name);
  await runMain({
    name: service.name,
    scope: { runs: [service.name], extraSchemas, variables: [service.config] },
    async start({ config, log, logOf, telemetry, metrics }) {
      const running = await runServices([service], { config, logOf, telemetry, metrics, listens: true });
      log.info({ port: running.port }, "listening");
      for (const notice of running.startupNotices)
        process.stderr.write(`Admin account: ${startupNoticeText(notice)}\n`);
      return running;
    },
  });
}
