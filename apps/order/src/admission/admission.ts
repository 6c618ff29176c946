import { CallError, callErrors } from "@rialto/rpc";
import type { Counter, Logger } from "@rialto/telemetry";
import type { QueueReader } from "./queue-reader.ts";
import {
  type AdmissionLimits,
  emptyQueue,
  expectedDelayMs,
  nextQueueState,
  type QueueState,
  sheddingProbability,
} from "./shedding.ts";

/** How many readings of the queue come with a count of the unfinished orders, which costs more: one in so many. */
const readingsPerCount = 10;
const retrySecondsMax = 10;
/** The most readings from one probe to the next. */
const readingsPerProbeMax = 16;

/** Decides which new orders are accepted. */
export interface Admission {
  /** Throws TEMPORARILY_UNAVAILABLE with a Retry-After for an order that is shed. Costs no statement and no wait. */
  requireAdmitted(): void;
  close(): Promise<void>;
}

/**
 * Creates the admission of new orders. It bounds how long orders wait for their first attempt, which is our own delay,
 * and how many there are that are not finished, which may wait for anything.
 *
 * The queue is read beside the requests, one reading after the other while there are any or while orders wait. An idle
 * replica reads nothing. Replicas read at different moments (`pause` has its jitter) and draw for each order at random,
 * so they do not turn orders away in step. Where the queue cannot be read, nothing is shed: the database is down then,
 * and a commit says so.
 *
 * While nothing is admitted for the delay's sake, an order is let through now and then as a probe, as a half-open
 * circuit breaker does: with the first reading, and then after 1, 2, 4 and so on up to 16 more. Where all that waits is
 * in the jobs of a process that died, which come back after 14 s, the probe is attempted at once, and shows that the
 * checkout works.
 *
 * @param o `random` returns numbers from 0 to 1, `pause` resolves when the next reading is due. `shed` counts orders
 * that are shed.
 */
export function createAdmission(o: {
  readonly reader: QueueReader;
  readonly limits: AdmissionLimits;
  readonly log: Logger;
  readonly shed?: Counter | undefined;
  random(): number;
  pause(signal: AbortSignal): Promise<void>;
}): Admission {
  const { reader, limits, log } = o;
  const closing = new AbortController();
  let queue: QueueState = emptyQueue;
  let unfinished = 0;
  let probability = 0;
  let hasProbe = false;
  let readingsPerProbe = 1;
  let readingsToProbe = 0;
  /** Whether an order was asked for since the last reading began. */
  let isAsked = false;
  let reading: Promise<void> | undefined;

  async function read(count: boolean): Promise<void> {
    try {
      const [next, counted] = await Promise.all([
        reader.readQueue(),
        count ? reader.countUnfinished(limits.unfinishedMax) : unfinished,
      ]);
      queue = nextQueueState(queue, next);
      unfinished = counted;
      report(sheddingProbability(queue, unfinished, limits));
      if (probability < 1 || unfinished >= limits.unfinishedMax) endProbes();
      else probe();
    } catch (error) {
      log.debug({ err: error }, "queue of orders not read, nothing is shed");
      queue = emptyQueue;
      unfinished = 0;
      probability = 0;
      endProbes();
    }
  }

  function probe(): void {
    if (hasProbe) return;
    readingsToProbe -= 1;
    if (readingsToProbe > 0) return;
    hasProbe = true;
    readingsToProbe = readingsPerProbe;
    readingsPerProbe = Math.min(readingsPerProbe * 2, readingsPerProbeMax);
  }

  function endProbes(): void {
    hasProbe = false;
    readingsPerProbe = 1;
    readingsToProbe = 0;
  }

  function report(next: number): void {
    const was = probability;
    probability = next;
    const figures = { probability: next, waiting: queue.waiting, oldestMs: Math.round(queue.oldestMs), unfinished };
    if (was === 0 && next > 0) log.warn(figures, "orders are shed");
    if (was > 0 && next === 0) log.info(figures, "orders are no longer shed");
  }

  async function readWhileNeeded(): Promise<void> {
    for (let n = 0; !closing.signal.aborted && (isAsked || queue.waiting > 0); n += 1) {
      isAsked = false;
      await read(n % readingsPerCount === 0);
      await o.pause(closing.signal);
    }
    reading = undefined;
  }

  return {
    requireAdmitted() {
      isAsked = true;
      reading ??= readWhileNeeded();
      if (o.random() >= probability) return;
      if (hasProbe) {
        hasProbe = false;
        return;
      }
      o.shed?.add();
      const seconds = Math.min(Math.max(Math.ceil(expectedDelayMs(queue) / 1_000), 1), retrySecondsMax);
      throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, {
        message: "Too many orders are waiting for now.",
        metadata: { retry_after_seconds: `${seconds}` },
      });
    },
    async close() {
      closing.abort();
      await reading;
    },
  };
}
