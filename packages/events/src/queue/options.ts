import { backoffMs } from "@rialto/async";
import type { JobsOptions, QueueOptions, WorkerOptions } from "bullmq";

/** Attempts before the queue fails a job. The relay then enqueues it again. */
const jobTriesMax = 10;
const retryBackoff = { delayMsMin: 200, delayMsMax: 5_000 } as const;

/** How long the queue keeps ended jobs. The relay asks about each at least every 10 s (`askDelayMsMax`). */
const keepCompletedSecondsMax = 300;
const keepFailedSecondsMax = 300;

/**
 * A job carries all that its subscriber needs, and is retried by throwing. On Postgres, a job that moved itself to
 * delayed ended as completed (taskforcesh/bullmq 4814).
 */
export const jobOptions: JobsOptions = {
  attempts: jobTriesMax,
  backoff: { type: "custom" },
  stackTraceLimit: 1,
};

/** BullMQ's own event stream is not used here, so it is kept short. */
export const queueOptions: Omit<QueueOptions, "connection"> = { streams: { events: { maxLen: 1_000 } } };

/** How long a worker holds a job without a sign of life. While it lives it renews the lock at half of this time. */
export const jobLockMs = 8_000;

/**
 * The cost of a crash: a killed worker's job is free after `lockDuration`, and the second check for stalled jobs finds
 * it, so within about 14 s. A job never fails for having stalled, however many workers were killed over it.
 */
export const workerOptions = {
  autorun: false,
  lockDuration: jobLockMs,
  stalledInterval: 3_000,
  maxStalledCount: 1_000_000,
  runRetryDelay: 500,
  drainDelay: 5,
  removeOnComplete: { age: keepCompletedSecondsMax },
  removeOnFail: { age: keepFailedSecondsMax },
  settings: {
    backoffStrategy: (tries: number) => backoffMs(tries, retryBackoff),
  },
} satisfies Omit<WorkerOptions, "connection">;
