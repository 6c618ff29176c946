import { join } from "node:path";
import { runningEmbeddedPostgres, startEmbeddedPostgres } from "@rialto/database";
import { type Config, openTaskAccess, type TaskAccess } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";

/**
 * Lends a command the data of the system that this configuration is of: in the Postgres that it names, or in the data folder's own, which may be
 * that of a system that runs at this moment; where none runs, it is started for as long as the command takes.
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
