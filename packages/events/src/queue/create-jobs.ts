import { drainOldPrefix, oldPrefix } from "./drain-old-prefix.ts";
import type { Jobs } from "./jobs.ts";
import { createPostgresJobs } from "./postgres.ts";
import { createRedisJobs } from "./redis.ts";

/**
 * Where the queues are. On Redis every key is under `redisPrefix`, which names the installation. `drainsOldPrefix`
 * where an older version may have left jobs under the prefix that all installations shared.
 */
export type JobsLocation =
  | { readonly redisUrl: string; readonly redisPrefix: string; readonly drainsOldPrefix?: boolean }
  | { readonly postgresUrl: string };

/**
 * Opens the queues. It does not wait until they can be reached: relays and subscriptions start when they can.
 *
 * @param o `postgresUrl` is the URL of the queue's runtime role. LISTEN must work on it, so it cannot be a pgbouncer in
 * transaction mode.
 */
export async function createJobs(o: JobsLocation): Promise<Jobs> {
  if ("postgresUrl" in o) return createPostgresJobs(o.postgresUrl);
  const url = o.redisUrl;
  const jobs = createRedisJobs(url, `${o.redisPrefix}:queue`);
  if (o.drainsOldPrefix !== true) return jobs;
  return drainOldPrefix({ url, jobs, old: createRedisJobs(url, oldPrefix) });
}
