import { needsOtherConnection } from "@rialto/events";
import { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Config } from "../config/config.ts";

/** What counting one more came to. */
export interface Verdict {
  readonly isAllowed: boolean;
  /** How many a window has. */
  readonly limit: number;
  readonly remaining: number;
  /** When the window ends and counting begins anew. */
  readonly resetMs: number;
}

/** A number of things in a window of time, counted for each key. The window begins with the first of them. */
export interface RateLimiter {
  /** Counts one more, refused ones too. */
  count(key: string): Promise<Verdict>;
  /** Takes one back that should not have counted. */
  giveBack(key: string): Promise<void>;
  /** Begins anew for a key. */
  forget(key: string): Promise<void>;
}

/** How counting goes on: "shared" over all replicas, "process" without Redis, "local-fallback" while Redis cannot be reached. */
export type RateLimitState = "shared" | "process" | "local-fallback";

export interface RateLimits {
  limiter(o: { readonly name: string; readonly requests: number; readonly windowSeconds: number }): RateLimiter;
  state(): RateLimitState;
  close(): Promise<void>;
}

/** Nobody waits longer for a count: it would be better not to count. */
const commandMsMax = 250;
const connectMsMax = 2_000;
const reconnectMsMax = 1_000;

/**
 * Opens the counters: in Redis, exactly one count over all replicas; without Redis in this process. While Redis cannot be reached each
 * process counts for itself, and `state` says so: neither does the door close nor is it left open.
 */
export function openRateLimits({ redisUrl, redisPrefix }: Pick<Config, "redisUrl" | "redisPrefix">): RateLimits {
  const redis = redisUrl === undefined ? undefined : connect(redisUrl);
  let hasFailed = false;
  return {
    limiter({ name, requests, windowSeconds }) {
      const window = { keyPrefix: `${redisPrefix}:limit:${name}`, points: requests, duration: windowSeconds };
      const local = new RateLimiterMemory(window);
      if (redis === undefined) return limiterOf((work) => work(local), requests);
      const shared = new RateLimiterRedis({ ...window, storeClient: redis });
      return limiterOf(async (work) => {
        // A connection that is known to be down is not asked: nobody waits for it.
        if (redis.status !== "ready") {
          hasFailed = true;
          return work(local);
        }
        try {
          const result = await work(shared);
          hasFailed = false;
          return result;
        } catch (error) {
          if (error instanceof RateLimiterRes) throw error;
          hasFailed = true;
          return work(local);
        }
      }, requests);
    },
    state: () =>
      redis === undefined ? "process" : redis.status !== "ready" || hasFailed ? "local-fallback" : "shared",
    close: async () => redis?.disconnect(),
  };
}

function connect(url: string): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandMsMax,
    connectTimeout: connectMsMax,
    reconnectOnError: needsOtherConnection,
    retryStrategy: (times) => Math.min(reconnectMsMax, 50 * 2 ** times),
  });
  // `state` tells it.
  redis.on("error", () => undefined);
  return redis;
}

function limiterOf(
  at: <T>(work: (limiter: RateLimiterAbstract) => Promise<T>) => Promise<T>,
  limit: number,
): RateLimiter {
  const verdictOf = (res: RateLimiterRes, isAllowed: boolean): Verdict => ({
    isAllowed,
    limit,
    remaining: Math.max(0, res.remainingPoints),
    resetMs: Math.max(0, res.msBeforeNext),
  });
  return {
    async count(key) {
      try {
        return verdictOf(await at((limiter) => limiter.consume(key)), true);
      } catch (error) {
        if (error instanceof RateLimiterRes) return verdictOf(error, false);
        throw error;
      }
    },
    async giveBack(key) {
      await at((limiter) => limiter.reward(key));
    },
    async forget(key) {
      await at((limiter) => limiter.delete(key));
    },
  };
}
