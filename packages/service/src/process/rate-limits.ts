import { backoffMs } from "@rialto/async";
import { needsOtherConnection } from "@rialto/events";
import { Redis } from "ioredis";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Config } from "../config/config.ts";
import { createWindowCounter, type Verdict, type WindowCounter } from "./window-counter.ts";

/** Counts requests per key in a window of time. The window begins with the first request. */
export interface RateLimiter {
  /** Counts one request, at once where this process counts. Refused ones count too. */
  count(key: string): Verdict | Promise<Verdict>;
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
      const local = createWindowCounter({ requests, windowMs: windowSeconds * 1_000 });
      if (redis === undefined) return localLimiter(local);
      const window = { keyPrefix: `${redisPrefix}:limit:${name}`, points: requests, duration: windowSeconds };
      const shared = new RateLimiterRedis({ ...window, storeClient: redis });
      return sharedLimiter(shared, local, {
        // A connection that is known to be down is skipped, so that no request waits for it.
        isReady: () => redis.status === "ready",
        report: (isOutage) => {
          hasFailed = isOutage;
        },
      });
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

function localLimiter(local: WindowCounter): RateLimiter {
  return {
    count: local.count,
    giveBack: async (key) => local.giveBack(key),
    forget: async (key) => local.forget(key),
  };
}

/** Counts in Redis, and in this process while Redis does not answer. */
function sharedLimiter(
  shared: RateLimiterRedis,
  local: WindowCounter,
  redis: { readonly isReady: () => boolean; readonly report: (isOutage: boolean) => void },
): RateLimiter {
  async function at<T>(work: (limiter: RateLimiterRedis) => Promise<T>, otherwise: (counter: WindowCounter) => T) {
    if (!redis.isReady()) {
      redis.report(true);
      return otherwise(local);
    }
    try {
      const result = await work(shared);
      redis.report(false);
      return result;
    } catch {
      redis.report(true);
      return otherwise(local);
    }
  }
  const verdictOf = (counted: RateLimiterRes, isAllowed: boolean): Verdict => ({
    isAllowed,
    limit: shared.points,
    remaining: Math.max(0, counted.remainingPoints),
    resetMs: Math.max(0, counted.msBeforeNext),
  });
  return {
    count: (key) =>
      at(
        (limiter) =>
          limiter.consume(key).then(
            (counted) => verdictOf(counted, true),
            (refused: unknown) => {
              if (refused instanceof RateLimiterRes) return verdictOf(refused, false);
              throw refused;
            },
          ),
        (counter) => counter.count(key),
      ),
    giveBack: (key) =>
      at(
        async (limiter) => void (await limiter.reward(key)),
        (counter) => counter.giveBack(key),
      ),
    forget: (key) =>
      at(
        async (limiter) => void (await limiter.delete(key)),
        (counter) => counter.forget(key),
      ),
  };
}
