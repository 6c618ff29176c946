import { join } from "node:path";
import { runningEmbeddedPostgres, startEmbeddedPostgres } from "@rialto/database";
import { type Config, openTaskAccess, type TaskAccess } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";

/**
 * Runs `work` with access to the data of the configured system: in the Postgres that it names, or in the embedded one
 * of the data folder. If no system runs on that one at the moment, it is started for the duration of the command.
 */
export async function withTaskData<T>(
  { config, log }: { readonly config: Config; readonly log: Logger },
  work: (access: TaskAccess) => Promise<T>,
): Promise<T> {
  const directory = join(config.dataDir, "postgres");
  const isNamed = config.databaseUrl !== undefined || Object.keys(config.databaseUrls).length > 0;
  const running = isNamed ? undefined : runningEmbeddedPostgres({ directory, log });
  const started = isNamed || running !== undefined ? undefined : await startEmbeddedPostgres({ directory, log });
  const access = await openTaskAccess({ config, adminUrl: running ?? started?.url });
  try {
    return await work(access);
  } finally {
    await access.close();
    await started?.stop();
  }
}
