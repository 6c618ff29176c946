import type { JsonValue } from "@bufbuild/protobuf";
import { backoffMs } from "@rialto/async";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Jobs } from "./jobs.ts";
import { queueOptions, workerOptions } from "./options.ts";
import { createQueues } from "./queues.ts";
import { needsOtherConnection } from "./redis-failures.ts";
import { keepWorking } from "./worker.ts";

const connectTimeoutMs = 5_000;
const commandTimeoutMs = 5_000;
const keepAliveMs = 5_000;
/** Keys that Redis looks at in one step of a scan. */
const scanKeysMax = 1_000;
const reconnectBackoff = { delayMsMin: 50, delayMsMax: 1_000 } as const;

class RedisUnreachable extends Error {
  override readonly name = "RedisUnreachable";
  readonly code = "ECONNREFUSED";
  constructor() {
    super("Redis cannot be reached");
  }
}

/**
 * Jobs on Redis. Redis may lose its memory; it must not evict (maxmemory-policy noeviction), or the relay adds again and again what it threw out.
 * Two connections: the producers' fails fast, so that a relay notices; the workers' waits for Redis, as BullMQ wants it to.
 */
export function createRedisJobs(url: string, prefix: string): Jobs {
  const shared = {
    connectTimeout: connectTimeoutMs,
    keepAlive: keepAliveMs,
    // Where the name has moved and nobody cut the connection, the old primary answers for as long as it is asked.
    reconnectOnError: needsOtherConnection,
    retryStrategy: (times: number) => backoffMs(times, reconnectBackoff),
  };
  const producer = new Redis(url, {
    ...shared,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
  });
  const consumer = new Redis(url, { ...shared, lazyConnect: true, maxRetriesPerRequest: null });
  // Both are told of in the log by what fails without them.
  producer.on("error", () => undefined);
  consumer.on("error", () => undefined);

  const queues = createQueues((name) => new Queue<JsonValue>(name, { ...queueOptions, prefix, connection: producer }));

  /** Asks Redis, or fails at once where it cannot be reached. */
  async function ask<T>(question: () => Promise<T>): Promise<T> {
    if (producer.status !== "ready") throw new RedisUnreachable();
    try {
      return await question();
    } catch (error) {
      // ioredis looks at answers, and not at those within the answer of a transaction, as jobs are added in.
      if (needsOtherConnection(error) && producer.status === "ready") producer.disconnect(true);
      throw error;
    }
  }

  return {
    add: (queue, jobs) => ask(() => queues.add(queue, jobs)),
    states: (queue, ids) => ask(() => queues.states(queue, ids)),
    names: () =>
      ask(async () => {
        const found = new Set<string>();
        for (let cursor = "0", isFirst = true; isFirst || cursor !== "0"; isFirst = false) {
          const [next, keys] = await producer.scan(cursor, "MATCH", `${prefix}:*:*`, "COUNT", scanKeysMax);
          for (const key of keys) found.add(key.slice(prefix.length + 1).split(":")[0] ?? "");
          cursor = next;
        }
        return [...found];
      }),
    empty: (queue) => ask(() => queues.empty(queue)),
    work(queue, handle, { concurrency, log }) {
      return keepWorking({
        queue,
        log,
        handle,
        create: (process) =>
          new Worker<JsonValue, void>(queue, process, { ...workerOptions, prefix, concurrency, connection: consumer }),
      });
    },
    async close() {
      await queues.close();
      producer.disconnect();
      consumer.disconnect();
    },
  };
}
