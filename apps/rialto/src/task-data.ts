import { openTaskAccess, type TaskAccess } from "@rialto/service";
import type { Config } from "@rialto/service/config";
import type { Logger } from "@rialto/telemetry";
import { useOwnPostgres } from "./embedded-postgres.ts";

/**
 * Runs `work` with access to the data of the configured system: in the Postgres that it names, or in the embedded one
 * of the data folder. If no system runs on that one at the moment, it is started for the duration of the command.
 */
export async function withTaskData<T>(
  { config, log }: { readonly config: Config; readonly log: Logger },
  work: (access: TaskAccess) => Promise<T>,
): Promise<T> {
  const postgres = await useOwnPostgres({ config, log });
  const access = await openTaskAccess({ config, adminUrl: postgres?.url });
  try {
    return await work(access);
  } finally {
    await access.close();
    await postgres?.stop();
  }
}
