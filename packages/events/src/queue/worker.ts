import type { JsonValue } from "@bufbuild/protobuf";
import { backoffMs, sleep, withTimeout } from "@rialto/async";
import type { Logger } from "@rialto/telemetry";
import type { Job } from "bullmq";
import { watchOutage } from "../outage.ts";
import { type JobWorker, stopGraceMsMax } from "./jobs.ts";

const restartBackoff = { delayMsMin: 100, delayMsMax: 2_000 } as const;
/** How long running jobs may take to end when they are aborted. */
const stopAbortMsMax = 1_000;

/** The interface that BullMQ's workers on Redis and on Postgres share. */
export interface BullWorker {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "active" | "stalled", listener: () => void): unknown;
  waitUntilReady(): Promise<void>;
  run(): Promise<void>;
  close(): Promise<void>;
  disconnect(): Promise<void>;
}

export type Processor = (job: Job<JsonValue, void>) => Promise<void>;

/**
 * Keeps a BullMQ worker running. A worker whose first connection failed remembers the failure and never recovers, so it
 * is replaced.
 */
export function keepWorking(o: {
  readonly queue: string;
  readonly log: Logger;
  create(process: Processor): BullWorker;
  handle(data: JsonValue, signal: AbortSignal): Promise<void>;
}): JobWorker {
  const { queue, log } = o;
  const outage = watchOutage(log, `queue ${queue}`);
  const aborting = new AbortController();
  const stopping = new AbortController();
  let worker = create();
  const running = run();

  function create(): BullWorker {
    const made = o.create(async (job) => await o.handle(job.data, aborting.signal));
    made.on("error", (error) => outage.failed(error));
    made.on("active", () => outage.recovered());
    made.on("stalled", () => log.info({ queue }, "stalled job restarted"));
    return made;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let failures = 1;
      try {
        await worker.waitUntilReady();
        outage.recovered();
        await worker.run();
      } catch (error) {
        failures = outage.failed(error);
      }
      if (stopping.signal.aborted) return;
      await within(stopAbortMsMax, worker.close());
      await sleep(backoffMs(failures, restartBackoff), { signal: stopping.signal });
      if (!stopping.signal.aborted) worker = create();
    }
  }

  async function stop(graceMs: number): Promise<void> {
    stopping.abort();
    const closed = worker.close();
    if (await within(graceMs, closed)) return;
    aborting.abort();
    if (!(await within(stopAbortMsMax, closed))) await within(stopAbortMsMax, worker.disconnect());
    await within(stopAbortMsMax, running);
  }
  let stopped: Promise<void> | undefined;
  return { stop: ({ graceMs = stopGraceMsMax } = {}) => (stopped ??= stop(graceMs)) };
}

/** Returns whether the work settles in time. How it settles does not matter: the worker is stopping anyway. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const settled = work.then(
    () => true,
    () => true,
  );
  return await withTimeout(settled, ms, false);
}
