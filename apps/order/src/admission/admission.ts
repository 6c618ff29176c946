import { type CancelSignal, onAbort } from "@rialto/async";
import { CallError, callErrors } from "@rialto/rpc";
import type { Counter, Logger } from "@rialto/telemetry";
import type { QueueReader } from "./queue-reader.ts";
import {
  type AdmissionLimits,
  emptyQueue,
  expectedDelayMs,
  heldMax,
  nextQueueState,
  type QueueState,
  sheddingProbability,
} from "./shedding.ts";

/** How many readings of the queue come with a count of the unfinished orders, which costs more: one in so many. */
const readingsPerCount = 10;
const retrySecondsMax = 10;
/** The most readings from one probe to the next. */
const readingsPerProbeMax = 16;

/** How long an order may be held back: not so long that the rest of its call has less time than that. */
const heldMsMax = 3_000;
/** Less is too short for a reading or two. */
const heldMsMin = 1_000;

/** Decides which new orders are accepted. */
export interface Admission {
  /**
   * Throws or rejects with TEMPORARILY_UNAVAILABLE and a Retry-After for an order that is shed, or with the reason of
   * the signal. Costs no statement, and mostly no wait: an order may be held back for 3 s, and for half of the time
   * that its call has.
   */
  requireAdmitted(call: AskingCall): Promise<void> | undefined;
  close(): Promise<void>;
}

/** The call that places an order. */
export interface AskingCall {
  /** Aborts when nobody waits for the order. */
  readonly signal: CancelSignal;
  readonly deadline?: Date | undefined;
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
 * An order that would be shed is held back first, as long as there is room for it (`heldMax`), and drawn for again with
 * each reading. So clients that wait for their answers are slowed down to what the checkout can do, and get no refusal.
 *
 * While nothing is admitted for the delay's sake, an order is let through now and then as a probe, as a half-open
 * circuit breaker does: with the first reading, and then after 1, 2, 4 and so on up to 16 more. Where all that waits is
 * in the jobs of a process that died, which come back after 14 s, the probe is attempted at once, and shows that the
 * checkout works.
 *
 * @param o `random` returns numbers from 0 to 1, `pause` resolves when the next reading is due, `now` returns ms since
 * 1970. `shed` counts orders that are shed.
 */
export function createAdmission(o: {
  readonly reader: QueueReader;
  readonly limits: AdmissionLimits;
  readonly log: Logger;
  readonly shed?: Counter | undefined;
  random(): number;
  now(): number;
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
  let held: Held[] = [];

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
    drawForHeld();
  }

  function drawForHeld(): void {
    const before = held;
    held = [];
    const now = o.now();
    for (const order of before) {
      if (o.random() >= probability) order.admit();
      else if (probability >= 1 || now >= order.until) order.refuse(refusal());
      else held.push(order);
    }
  }

  function hold(signal: CancelSignal, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const order: Held = {
        until: o.now() + ms,
        admit: () => {
          ignore();
          resolve();
        },
        refuse: (error) => {
          ignore();
          reject(error);
        },
      };
      held.push(order);
      const ignore = onAbort(signal, () => {
        held = held.filter((other) => other !== order);
        reject(signal.reason);
      });
    });
  }

  /** How long an order of this deadline may be held back. */
  function heldMsOf(deadline: Date | undefined): number {
    return deadline === undefined ? heldMsMax : Math.min(heldMsMax, (+deadline - o.now()) / 2);
  }

  /** Counts an order that is shed, and makes the error for it. */
  function refusal(): CallError {
    o.shed?.add();
    const seconds = Math.min(Math.max(Math.ceil(expectedDelayMs(queue) / 1_000), 1), retrySecondsMax);
    return new CallError(callErrors.TEMPORARILY_UNAVAILABLE, {
      message: "Too many orders are waiting for now.",
      metadata: { retry_after_seconds: `${seconds}` },
    });
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
    for (let n = 0; !closing.signal.aborted && (isAsked || queue.waiting > 0 || held.length > 0); n += 1) {
      isAsked = false;
      await read(n % readingsPerCount === 0);
      await o.pause(closing.signal);
    }
    reading = undefined;
  }

  return {
    requireAdmitted({ signal, deadline }) {
      // A replica that stops ends what it has begun.
      if (closing.signal.aborted) return undefined;
      isAsked = true;
      reading ??= readWhileNeeded();
      if (o.random() >= probability) return undefined;
      if (hasProbe) {
        hasProbe = false;
        return undefined;
      }
      const ms = heldMsOf(deadline);
      if (ms >= heldMsMin && held.length < heldMax(queue, unfinished, limits)) return hold(signal, ms);
      throw refusal();
    },
    async close() {
      closing.abort();
      await reading;
      for (const order of held.splice(0)) order.admit();
    },
  };
}

/** An order that is held back. */
interface Held {
  /** In ms since 1970. */
  readonly until: number;
  admit(): void;
  refuse(error: CallError): void;
}
