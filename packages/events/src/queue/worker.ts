import { setTimeout as sleep } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Logger } from "@rialto/telemetry";
import type { Job } from "bullmq";
import { fullJitterMs } from "../async/backoff.ts";
import { watchOutage } from "../async/outage.ts";
import type { JobWorker } from "./jobs.ts";

const restartDelayMsMin = 100;
const restartDelayMsMax = 2_000;
/** Jobs at work have so long to end by themselves when the worker stops, and so long again when they are aborted. */
const stopGraceMsMax = 1_500;
const stopAbortMsMax = 1_000;

/** What both of BullMQ's workers, on Redis and on Postgres, look like from here. */
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
 * Keeps a BullMQ worker running. One whose first connection failed never recovers by itself (it remembers the failure),
 * so it is replaced.
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
    made.on("active", () => outage.over());
    made.on("stalled", () => log.info({ queue }, "a job that stalled is taken up again"));
    return made;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let failures = 1;
      try {
        await worker.waitUntilReady();
        outage.over();
        await worker.run();
      } catch (error) {
        failures = outage.failed(error);
      }
      if (stopping.signal.aborted) return;
      await within(stopAbortMsMax, worker.close());
      await sleep(fullJitterMs(failures, restartDelayMsMin, restartDelayMsMax), undefined, {
        signal: stopping.signal,
      }).catch(() => undefined);
      if (!stopping.signal.aborted) worker = create();
    }
  }

  return {
    async stop() {
      if (stopping.signal.aborted) return;
      stopping.abort();
      const closed = worker.close();
      if (await within(stopGraceMsMax, closed)) return;
      aborting.abort();
      if (!(await within(stopAbortMsMax, closed))) await within(stopAbortMsMax, worker.disconnect());
      await within(stopAbortMsMax, running);
    },
  };
}

/** Whether it ended in time. How it ended does not matter to who is leaving anyway. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const ended = work.then(
    () => true,
    () => true,
  );
  const late = sleep(ms, false, { signal: over.signal }).catch(() => false);
  const inTime = await Promise.race([ended, late]);
  over.abort();
  return inTime;
}
