import type { JobWorker } from "../queue/jobs.ts";

/** Whether a subscription's jobs are taken. */
export interface Intake {
  /** Takes jobs, unless it does so already or was stopped for good. */
  open(): void;
  /** Takes none for now. Those at work end first, or are aborted and come again when it is open. */
  close(): Promise<void>;
  /** Closes for good. */
  stop(): Promise<void>;
}

/** Creates an intake, closed. A worker lives from one opening to the next closing. */
export function createIntake(work: () => JobWorker): Intake {
  let worker: JobWorker | undefined;
  let stopped = false;

  async function close(): Promise<void> {
    const open = worker;
    worker = undefined;
    await open?.stop();
  }

  return {
    open() {
      if (!stopped) worker ??= work();
    },
    close,
    async stop() {
      stopped = true;
      await close();
    },
  };
}
