import type { Jobs } from "./jobs.ts";
import { createPostgresJobs } from "./jobs-postgres.ts";
import { createRedisJobs } from "./jobs-redis.ts";

/**
 * Opens the queues. It does not wait for them to be reachable: relays and subscriptions begin when they are.
 *
 * @param o `postgresUrl` is that of the role `rialto_jobs`; LISTEN must work on it, so no pgbouncer in transaction mode.
 */
export async function createJobs(o: { readonly redisUrl: string } | { readonly postgresUrl: string }): Promise<Jobs> {
  return "redisUrl" in o ? createRedisJobs(o.redisUrl) : createPostgresJobs(o.postgresUrl);
}
