import { backoffMs } from "@rialto/async";
import { needsOtherConnection } from "@rialto/events";
import { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Config } from "../config/config.ts";

/** The result of counting one request. */
export interface Verdict {
  readonly isAllowed: boolean;
  /** The number of requests that a window allows. */
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/** Counts requests per key in a window of time. The window begins with the first request. */
export interface RateLimiter {
  /** Counts one request. Refused ones count too. */
  count(key: string): Promise<Verdict>;
  /** Takes back one request that should not have counted. */
  giveBack(key: string): Promise<void>;
  /** Resets a key. */
  forget(key: string): Promise<void>;
}

/**
 * Where requests are counted: "shared" by all replicas, "process" without Redis, "local-fallback" while Redis is
 * unavailable.
 */
export type RateLimitState = "shared" | "process" | "local-fallback";

export interface RateLimits {
  limiter(o: { readonly name: string; readonly requests: number; readonly windowSeconds: number }): RateLimiter;
  state(): RateLimitState;
  close(): Promise<void>;
}

/** The time limit of one command. Beyond it the request is counted locally. */
const commandMsMax = 250;
const connectMsMax = 2_000;
const reconnectMsMax = 1_000;

/**
 * Opens the counters: in Redis, one count over all replicas; without Redis, in this process. While Redis is unavailable
 * each process counts for itself and `state` reports it, so requests are neither all refused nor unlimited.
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
        // Skips a connection that is known to be down, so that no request waits for it.
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
    retryStrategy: (times) => backoffMs(times, { delayMsMin: 100, delayMsMax: reconnectMsMax, jitter: "none" }),
  });
  // `state` reports it.
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
