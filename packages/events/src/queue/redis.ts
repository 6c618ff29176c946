import type { JsonValue } from "@bufbuild/protobuf";
import { backoffMs } from "@rialto/async";
import type { FailureMeaning } from "@rialto/database";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Jobs } from "./jobs.ts";
import { queueOptions, workerOptions } from "./options.ts";
import { createQueues } from "./queues.ts";
import { keepWorking } from "./worker.ts";

const connectTimeoutMs = 5_000;
const commandTimeoutMs = 5_000;
const keepAliveMs = 5_000;
/** Keys that Redis visits in one step of a scan. */
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
 * Creates queues on Redis. Redis may lose its memory, but it must not evict (maxmemory-policy noeviction), or the relay
 * enqueues evicted jobs again and again. There are two connections: the producers' fails fast, so that a relay notices;
 * the workers' waits for Redis, as BullMQ requires.
 */
export function createRedisJobs(url: string, prefix: string): Jobs {
  const shared = {
    connectTimeout: connectTimeoutMs,
    keepAlive: keepAliveMs,
    // Where the host name leads to a new primary and the connection was not cut, the old primary keeps answering.
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
  // What fails without them logs it.
  producer.on("error", () => undefined);
  consumer.on("error", () => undefined);

  const queues = createQueues((name) => new Queue<JsonValue>(name, { ...queueOptions, prefix, connection: producer }));

  /** Sends a command, or fails at once where Redis cannot be reached. */
  async function ask<T>(question: () => Promise<T>): Promise<T> {
    if (producer.status !== "ready") throw new RedisUnreachable();
    try {
      return await question();
    } catch (error) {
      // ioredis checks replies, but not those inside the reply of a transaction, in which jobs are added.
      if (needsOtherConnection(error) && producer.status === "ready") producer.disconnect(true);
      throw error;
    }
  }

  return {
    add: (queue, jobs) => ask(() => queues.add(queue, jobs)),
    states: (queue, ids) => ask(() => queues.states(queue, ids)),
    depth: (queue) => ask(() => queues.depth(queue)),
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
    isReachable: () => producer.status === "ready",
    async close() {
      await queues.close();
      producer.disconnect();
      consumer.disconnect();
    },
  };
}

const kept: FailureMeaning = { again: "uncounted", connection: "kept", outcome: "known", server: "ready" };
const dropped: FailureMeaning = { ...kept, connection: "all dropped" };
const lost: FailureMeaning = { ...kept, connection: "dropped", outcome: "unknown" };

/**
 * The errors of Redis by their first word, and those of ioredis
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors). The error of a script contains the
 * error that it met. No failure of Redis makes a service unready: events wait in the outbox, and each process counts
 * requests by itself. An error that is not listed is a defect.
 */
const failures: readonly (readonly [text: RegExp, meaning: FailureMeaning, why: string])[] = [
  [/\bREADONLY\b/, dropped, "a replica: the host name leads to the new primary"],
  [/^UNBLOCKED\b/, dropped, "it became a replica while a job was waited for"],
  [/^MASTERDOWN\b/, dropped, "a replica without its primary"],
  [/^(NOAUTH|WRONGPASS)\b/, dropped, "the password was changed; a new connection sends the current one"],
  [/^LOADING\b/, kept, "it loads its data; ioredis retries"],
  [/^(CLUSTERDOWN|TRYAGAIN)\b/, kept, "cluster slots are moving or not served"],
  [/\bOOM\b/, kept, "out of memory, and it must not evict"],
  [/^(MISCONF|NOREPLICAS)\b/, kept, "it refuses writes while it cannot save or replicate them"],
  [/^BUSY\b/, kept, "a script runs for long"],
  [/max number of clients reached/, kept, "no connection is free"],
  [/^(Connection is closed|Command timed out|Stream isn't writeable|Reached the max retries)/, lost, "ioredis"],
];

/** Returns the meaning of an error of Redis; undefined for a defect. */
export function meaningOfRedis(error: unknown): FailureMeaning | undefined {
  if (!(error instanceof Error)) return undefined;
  return failures.find(([pattern]) => pattern.test(error.message))?.[1];
}

/** For ioredis' `reconnectOnError`: returns whether a new connection may reach a server that can do it. */
export function needsOtherConnection(error: unknown): boolean {
  return meaningOfRedis(error)?.connection === "all dropped";
}
