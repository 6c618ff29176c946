import type { Sql, Transaction } from "@rialto/database";
import type { JobWorker, StopOptions } from "../queue/jobs.ts";

/**
 * Pauses a subscription of the subscriber whose schema `sql` sees. Every process that runs it soon stops taking its
 * events.
 */
export async function pauseSubscription(sql: Sql | Transaction, subscription: string): Promise<void> {
  await sql`insert into inbox_pause (subscription) values (${subscription}) on conflict (subscription) do nothing`;
}

/** Resumes a paused subscription where it stopped. */
export async function resumeSubscription(sql: Sql | Transaction, subscription: string): Promise<void> {
  await sql`delete from inbox_pause where subscription = ${subscription}`;
}

/** Returns whether an operator has paused the subscription. */
export async function isPaused(sql: Sql | Transaction, subscription: string): Promise<boolean> {
  const [paused] = await sql`select 1 as paused from inbox_pause where subscription = ${subscription}`;
  return paused !== undefined;
}

/** A worker of a queue that can be paused and resumed. */
export interface PausableWorker {
  /** Takes jobs, unless it does already or was stopped. */
  resume(): void;
  /**
   * Takes no more jobs. Resolves when the current ones have ended, or were aborted: those are delivered again after
   * `resume`.
   */
  pause(): Promise<void>;
  /** Pauses for good. The current jobs may take as long as the options say. */
  stop(o?: StopOptions): Promise<void>;
}

/** Creates a worker that is paused. Each `resume` starts a new one by `start`. */
export function createPausableWorker(start: () => JobWorker): PausableWorker {
  let worker: JobWorker | undefined;
  let isStopped = false;

  async function pause(o?: StopOptions): Promise<void> {
    const current = worker;
    worker = undefined;
    await current?.stop(o);
  }

  return {
    resume() {
      if (!isStopped) worker ??= start();
    },
    pause: () => pause(),
    async stop(o) {
      isStopped = true;
      await pause(o);
    },
  };
}
