import type { Database } from "@rialto/database";
import type { Jobs } from "@rialto/events";
import type { Config } from "../config/config.ts";
import { openSecret } from "../identity/identity.ts";
import { type ServiceName, serviceNames } from "../service-name.ts";
import { connect, connectJobs } from "./databases.ts";
import { takeOverRedis } from "./redis-start.ts";

/** A command's access to the services' data, beside the processes that run them. */
export interface TaskAccess {
  /** Connects to the schema of one service as its runtime role. The schema must have been migrated. */
  database(service: ServiceName): Promise<Database>;
  /** Connects to the queues of this installation. `takeOver` claims keys in Redis of an installation that is gone. */
  jobs(o?: { readonly takeOver: boolean }): Promise<Jobs>;
  close(): Promise<void>;
}

/** Opens access by the services' configuration. `adminUrl` is the embedded Postgres', if that is in use. */
export async function openTaskAccess(o: {
  readonly config: Config;
  readonly adminUrl: string | undefined;
}): Promise<TaskAccess> {
  const { config } = o;
  const access = { adminUrl: o.adminUrl ?? config.databaseUrl, secret: await openSecret(config), config };
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(what: T): T => {
    opened.push(what);
    return what;
  };
  const database = async (service: ServiceName) => keep(await connect(access, service, service));
  return {
    database,
    async jobs({ takeOver } = { takeOver: false }) {
      const { redisUrl, redisPrefix } = config;
      if (takeOver && redisUrl !== undefined) await takeOverRedis({ redisUrl, redisPrefix });
      return keep(await connectJobs(access, await Promise.all(serviceNames.map(database))));
    },
    async close() {
      for (const what of opened.splice(0)) await what.close();
    },
  };
}
