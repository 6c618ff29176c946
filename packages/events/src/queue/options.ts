import { backoffMs } from "@rialto/async";
import type { JobsOptions, QueueOptions, WorkerOptions } from "bullmq";

/** A job's tries before the queue gives it up. Nothing ends there: the relay adds it again. */
const jobTriesMax = 10;
const retryBackoff = { delayMsMin: 200, delayMsMax: 5_000 } as const;

/** Done jobs are known for so long; the relay asks for each at least every 10 s (`askDelayMsMax`). */
const keepCompletedSecondsMax = 300;
const keepFailedSecondsMax = 300;

/**
 * A job carries all that its subscriber needs, and is tried again by throwing: on Postgres a job that moves itself to
 * delayed has been seen to end as completed (taskforcesh/bullmq 4814).
 */
export const jobOptions: JobsOptions = {
  attempts: jobTriesMax,
  backoff: { type: "custom" },
  stackTraceLimit: 1,
};

/** BullMQ's own event stream is not used here; it is kept short. */
export const queueOptions: Omit<QueueOptions, "connection"> = { streams: { events: { maxLen: 1_000 } } };

/**
 * What a crash costs: a killed worker's job is free after `lockDuration` and found by the second of two looks for
 * stalled jobs, so within about 14 s. A stalled job is never failed for having stalled: a job that two kills met is as
 * good as before.
 */
export const workerOptions = {
  autorun: false,
  lockDuration: 8_000,
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
