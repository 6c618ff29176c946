import { drainOldPrefix, oldPrefix } from "./drain-old-prefix.ts";
import type { Jobs } from "./jobs.ts";
import { createPostgresJobs } from "./postgres.ts";
import { createRedisJobs } from "./redis.ts";

/**
 * Where jobs wait. On Redis every key is under `redisPrefix`, which names the installation; `drainsOldPrefix` where an older version may have left
 * jobs under the prefix that all installations had.
 */
export type JobsPlace =
  | { readonly redisUrl: string; readonly redisPrefix: string; readonly drainsOldPrefix?: boolean }
  | { readonly postgresUrl: string };

/**
 * Opens the queues. It does not wait for them to be reachable: relays and subscriptions begin when they are.
 *
 * @param o `postgresUrl` is that of the queue's runtime role; LISTEN must work on it, so no pgbouncer in transaction mode.
 */
export async function createJobs(o: JobsPlace): Promise<Jobs> {
  if ("postgresUrl" in o) return createPostgresJobs(o.postgresUrl);
  const url = o.redisUrl;
  const jobs = createRedisJobs(url, `${o.redisPrefix}:queue`);
  if (o.drainsOldPrefix !== true) return jobs;
  return drainOldPrefix({ url, jobs, old: createRedisJobs(url, oldPrefix) });
}
