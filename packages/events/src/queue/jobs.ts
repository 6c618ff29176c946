import type { JsonValue } from "@bufbuild/protobuf";
import type { PoolUse } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";

/** The state of a job, as far as the relay needs it. */
export type JobState = "completed" | "open" | "lost";

/** A job to add. */
export interface NewJob {
  /** Without ":". A job whose id the queue still knows is not added again. */
  readonly id: string;
  readonly data: JsonValue;
}

/** How something that handles events stops. */
export interface StopOptions {
  /** How long handlers that run may take. Then they are aborted. */
  readonly graceMs?: number;
}

/** How long handlers that run may take to end where nothing else is said. */
export const stopGraceMsMax = 1_500;

/** Handles the jobs of a queue. */
export interface JobWorker {
  /**
   * Takes no more jobs from now on, waits `graceMs` for the running ones (`stopGraceMsMax` where it is not given), then
   * aborts them: another worker retries them. Further calls return the same promise.
   */
  stop(o?: StopOptions): Promise<void>;
}

/**
 * Queues of jobs, on Redis or on Postgres. They are transport, not storage: a job that they lose is enqueued again from
 * the outbox.
 */
export interface Jobs {
  /** Enqueues jobs. Fails fast where the queue cannot be reached. */
  add(queue: string, jobs: readonly NewJob[]): Promise<void>;
  states(queue: string, ids: readonly string[]): Promise<ReadonlyMap<string, JobState>>;
  /** Returns how many jobs of a queue wait or run. */
  depth(queue: string): Promise<number>;
  /** Returns the names of all queues that exist, whichever process created them. */
  names(): Promise<readonly string[]>;
  /** Deletes all jobs of a queue: waiting, active, failed and done ones. */
  empty(queue: string): Promise<void>;
  /**
   * Runs `handler` on the queue's jobs until it is stopped, and resumes after any outage. A job whose handler throws is
   * retried later.
   */
  work(
    queue: string,
    handler: (data: JsonValue, signal: AbortSignal) => Promise<void>,
    o: { readonly concurrency: number; readonly log: Logger },
  ): JobWorker;
  /** Whether the server of the queues answered last, for health: a loss delays events, and refuses no request. */
  isReachable(): boolean;
  /** How its pool of connections is used; undefined where it is on Redis. */
  readonly pool?: PoolUse;
  close(): Promise<void>;
}
