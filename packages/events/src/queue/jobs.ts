import type { JsonValue } from "@bufbuild/protobuf";
import type { Logger } from "@rialto/telemetry";

/** What the queue knows of a job, as far as the relay cares. */
export type JobState = "completed" | "open" | "lost";

/** A job to add. */
export interface NewJob {
  /** No ":" in it. A job whose id the queue still has is not added again. */
  readonly id: string;
  readonly data: JsonValue;
}

/** A queue that jobs are taken from. */
export interface JobWorker {
  /** Takes no more jobs, waits a while for those at work, then aborts them: they are tried again elsewhere. */
  stop(): Promise<void>;
}

/** Queues of jobs, on Redis or on Postgres. They are the road, not the truth: what they lose is added again from the outbox. */
export interface Jobs {
  /** Fails fast where the queue cannot be reached. */
  add(queue: string, jobs: readonly NewJob[]): Promise<void>;
  states(queue: string, ids: readonly string[]): Promise<ReadonlyMap<string, JobState>>;
  /** The queues that hold something, whoever made them. */
  names(): Promise<readonly string[]>;
  /** Forgets all that a queue holds: jobs that wait, are at work, failed or are done. */
  empty(queue: string): Promise<void>;
  /** Runs `handler` on the queue's jobs until it is stopped, through any outage. A job whose handler throws is tried again later. */
  work(
    queue: string,
    handler: (data: JsonValue, signal: AbortSignal) => Promise<void>,
    o: { readonly concurrency: number; readonly log: Logger },
  ): JobWorker;
  close(): Promise<void>;
}
