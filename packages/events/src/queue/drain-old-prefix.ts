import type { Logger } from "@rialto/telemetry";
import { Redis } from "ioredis";
import type { Jobs, JobWorker } from "./jobs.ts";

/** The prefix of every installation's queues before 0.2.0. */
export const oldPrefix = "rialto";

const commandTimeoutMs = 5_000;
const pollMsDefault = 5_000;
/**
 * How long an old queue must have been empty to count as drained. A replica of the old version that adds to it later
 * loses nothing: a relay of the new version finds that its own queue does not know the batch, and enqueues it there.
 */
const idleMsDefault = 600_000;

/**
 * Returns the queues of an installation whose first version was an older one. New jobs go under the new prefix. Jobs
 * that a replica of the older version has added, or adds during a roll-out, are taken from the old prefix too, until it
 * has been empty for `idleMs`. Then the old queue is deleted.
 */
export function drainOldPrefix(o: {
  readonly url: string;
  readonly jobs: Jobs;
  /** The same Redis under the old prefix. */
  readonly old: Jobs;
  readonly idleMs?: number;
  readonly pollMs?: number;
}): Jobs {
  const { jobs, old, idleMs = idleMsDefault, pollMs = pollMsDefault } = o;
  const redis = new Redis(o.url, {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    commandTimeout: commandTimeoutMs,
  });
  // The next poll retries what failed.
  redis.on("error", () => undefined);

  function drain(queue: string, work: () => JobWorker, log: Logger): JobWorker {
    let worker: JobWorker | undefined;
    let busyTime = Date.now();
    let looking: Promise<void> = Promise.resolve();
    const look = async () => {
      if (redis.status !== "ready") return;
      if (worker === undefined && !(await isThere(redis, queue))) return finish();
      worker ??= work();
      if (await holdsJobs(redis, queue)) busyTime = Date.now();
      if (Date.now() - busyTime < idleMs) return;
      await finish();
      await old.empty(queue);
      log.info({ queue }, "queue of the older version drained and deleted");
    };
    const finish = async () => {
      clearInterval(timer);
      await worker?.stop();
    };
    const lookOnce = () => {
      looking = looking.then(look).catch(() => undefined);
    };
    const timer = setInterval(lookOnce, pollMs);
    redis.once("ready", lookOnce);
    lookOnce();
    return {
      async stop(options) {
        clearInterval(timer);
        await looking;
        await worker?.stop(options);
      },
    };
  }

  return {
    add: jobs.add,
    states: jobs.states,
    async names() {
      return [...new Set([...(await jobs.names()), ...(await oldQueues(old))])];
    },
    async empty(queue) {
      await jobs.empty(queue);
      if ((await oldQueues(old)).includes(queue)) await old.empty(queue);
    },
    work(queue, handle, options) {
      const workers = [
        jobs.work(queue, handle, options),
        drain(queue, () => old.work(queue, handle, options), options.log),
      ];
      return {
        stop: async (o) => {
          await Promise.all(workers.map((worker) => worker.stop(o)));
        },
      };
    },
    depth: jobs.depth,
    isReachable: jobs.isReachable,
    async close() {
      redis.disconnect();
      await Promise.all([jobs.close(), old.close()]);
    },
  };
}

/** Rate limit counters had the same prefix, and look like a queue of that name. */
async function oldQueues(old: Jobs): Promise<readonly string[]> {
  return (await old.names()).filter((name) => name !== "limit");
}

async function isThere(redis: Redis, queue: string): Promise<boolean> {
  return (await redis.exists(`${oldPrefix}:${queue}:meta`)) > 0;
}

async function holdsJobs(redis: Redis, queue: string): Promise<boolean> {
  const key = (list: string) => `${oldPrefix}:${queue}:${list}`;
  const lengths = await Promise.all([
    ...["wait", "active", "paused"].map((list) => redis.llen(key(list))),
    ...["delayed", "prioritized"].map((set) => redis.zcard(key(set))),
  ]);
  return lengths.some((length) => length > 0);
}
