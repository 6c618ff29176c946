import { type Bulkhead, LazySignal, onAbort, raceSignal } from "@rialto/async";
import type { Sql } from "@rialto/database";
import { currentSpan, runUnrecorded, type Tracing } from "@rialto/telemetry";
import type { Envelope } from "../event/envelope.ts";
import { secondsSince } from "../event/event-metrics.ts";
import { beginProcessing, failProcessing } from "../event/event-spans.ts";
import { type PendingEvent, release, renewLease, reschedule, scheduleRetry } from "./pending.ts";
import { type FailureContext, HandlerAborted, HandlerTimedOut, recordFailure } from "./retry-decision.ts";
import type { SlowLeases } from "./slow-leases.ts";
import type { Handled, Subscription } from "./subscription.ts";

/** Timeout of a handler. Shorter than the lease on a pending event, where that is not renewed. */
const handlerTimeoutMs = 30_000;

/**
 * A pending event that waited longer for its slot gets a new lease before its handler runs, or another process might
 * claim it meanwhile.
 */
const renewAfterMs = 250;

/** What handles the events of a subscription in this process. */
export interface Consumer extends FailureContext {
  readonly subscription: Subscription;
  readonly sql: Sql;
  /** Makes the spans of its events. Nothing is traced without it. */
  readonly tracing?: Tracing | undefined;
  /** The ids of the spans of attempts that failed, for the log: each attempt has an envelope of its own. */
  readonly spanIds: WeakMap<Envelope, string>;
  /** Bounds the handlers that run at a time, over all jobs. */
  readonly bulkhead: Bulkhead;
  /** Records that the handler had its effect. */
  readonly acknowledge: (envelope: Envelope) => Promise<void>;
  /** The handlers that have left their batch. */
  readonly slow: SlowWork;
}

/** Handlers that run outside of their batch. They end with the subscription. */
export interface SlowWork {
  /** Aborts when they have to end. */
  readonly stop: AbortSignal;
  readonly size: number;
  readonly leases: Pick<SlowLeases, "take" | "holds">;
  /** Tracks the handler of an event until its result is stored. Where that fails, the event is released later. */
  add(envelope: Envelope, work: Promise<void>): void;
}

/**
 * Handles a batch: the events of one subject in sequence, different subjects concurrently. An event that fails leaves
 * the batch, and the others continue. Throws, after all have ended, where a result could not be stored or the process
 * stops: the job is then delivered again, and the events in the inbox are skipped.
 */
export async function consumeBatch(consumer: Consumer, batch: readonly Envelope[], stop: AbortSignal): Promise<void> {
  const subjects = Map.groupBy(batch, ({ subject }) => subject);
  const ended = await Promise.allSettled(
    [...subjects.values()].map(async (events) => {
      for (const envelope of events) {
        await consumer.bulkhead.run(async () => await consumeInBatch(consumer, envelope, stop));
      }
    }),
  );
  const failed = ended.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function consumeInBatch(consumer: Consumer, envelope: Envelope, stop: AbortSignal): Promise<void> {
  // What is in a batch was not attempted before: what failed or was slow is pending, and handled by itself.
  consumer.counts?.delay.record(secondsSince(envelope.time));
  const handler = startHandler(consumer, envelope, stop);
  if (await leavesBatch(consumer, envelope, handler)) return;
  let handled: Handled;
  try {
    handled = await handler.ended;
  } catch (error) {
    if (stop.aborted || error instanceof HandlerAborted) throw new HandlerAborted();
    await scheduleRetry(consumer.sql, consumer.subscription.name, envelope, recordFailure(consumer, envelope, error));
    return;
  }
  // Nothing is left to write: the event was not pending when its job began. If another process has made it so since
  // then, the next attempt finds the inbox row.
  if (handled !== "INBOX_WRITTEN") await consumer.acknowledge(envelope);
  consumer.counts?.processed.add();
}

/**
 * Waits for a handler, and takes it out of its batch where it is slow: the event is pending then, leased to this
 * process, and is acknowledged or rescheduled like any other pending event. Returns whether it has left. Where the
 * lease cannot be stored, or the event is pending already, the batch waits for the handler.
 */
async function leavesBatch(consumer: Consumer, envelope: Envelope, handler: RunningHandler): Promise<boolean> {
  const { subscription, slow } = consumer;
  if (subscription.slow === undefined || !(await isSlow(handler, subscription.slow.afterMs))) return false;
  if (slow.size >= subscription.slow.max || slow.stop.aborted) return false;
  // The place is taken before the lease is stored, so that no more leave than may.
  const left = slow.leases.take(envelope).catch(() => false);
  const { stop } = slow;
  handler.abortOn(stop);
  slow.add(
    envelope,
    left.then(async (hasLeft) => {
      if (hasLeft) await finishSlow(consumer, envelope, handler, stop);
    }),
  );
  return await left;
}

/** Stores what became of a slow event, unless it failed and its lease was lost: another process decides then. */
async function finishSlow(
  consumer: Consumer,
  envelope: Envelope,
  { ended }: RunningHandler,
  stop: AbortSignal,
): Promise<void> {
  const running = ended.catch((error: unknown) => {
    if (consumer.slow.leases.holds(envelope.id)) throw error;
    return "LOST";
  });
  await finishPending(consumer, { envelope, attempts: 0, outages: 0 }, running, stop);
}

/** Returns true where the handler still runs after `ms`. */
function isSlow({ ended }: RunningHandler, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), ms);
    const onEnd = () => {
      clearTimeout(timer);
      resolve(false);
    };
    ended.then(onEnd, onEnd);
  });
}

/** Handles a pending event by itself. Returns whether it is done. */
export async function consumeSingle(consumer: Consumer, event: PendingEvent, stop: AbortSignal): Promise<boolean> {
  const running = consumer.bulkhead.run(() => runLeased(consumer, event, stop));
  return await finishPending(consumer, event, running, stop);
}

/** Stores what became of a pending event whose handler this process runs. Returns whether the event is done. */
async function finishPending(
  consumer: Consumer,
  event: Pick<PendingEvent, "envelope" | "attempts" | "outages">,
  running: Promise<unknown>,
  stop: AbortSignal,
): Promise<boolean> {
  const { sql, subscription } = consumer;
  const { envelope } = event;
  try {
    if ((await running) === "LOST") return false;
  } catch (error) {
    // A slow handler may also be aborted with the job that it was in.
    const isAborted = stop.aborted || error instanceof HandlerAborted;
    if (isAborted) await release(sql, subscription.name, [envelope.id]);
    else await reschedule(sql, subscription.name, envelope.id, recordFailure(consumer, envelope, error, event));
    return false;
  }
  await consumer.acknowledge(envelope);
  consumer.counts?.processed.add();
  return true;
}

/**
 * Runs the handler, unless the event was processed already, or its lease was LOST to another process while it waited
 * for a slot.
 */
async function runLeased(consumer: Consumer, event: PendingEvent, stop: AbortSignal): Promise<"DONE" | "LOST"> {
  const { sql, subscription } = consumer;
  const { envelope, claimedAt } = event;
  const hasWaited = performance.now() - claimedAt > renewAfterMs;
  if (hasWaited && !(await renewLease(sql, subscription.name, event))) return "LOST";
  const [processed] = await sql`
    select 1 as processed from inbox where subscription = ${subscription.name} and event_id = ${envelope.id}`;
  if (processed === undefined) await runHandler(consumer, envelope, stop);
  return "DONE";
}

/** A handler that runs. */
interface RunningHandler {
  /**
   * Resolves when the handler has ended. Rejects when it fails, exceeds its timeout, or a signal aborts it, even if it
   * ignores its signal.
   */
  readonly ended: Promise<Handled>;
  /** Aborts it with this signal too. */
  abortOn(signal: AbortSignal): void;
}

function runHandler(consumer: Consumer, envelope: Envelope, stop: AbortSignal): Promise<Handled> {
  return startHandler(consumer, envelope, stop).ended;
}

function startHandler(consumer: Consumer, envelope: Envelope, stop: AbortSignal): RunningHandler {
  // Most handlers end before anybody needs an AbortSignal.
  const canceled = new LazySignal();
  const removers: (() => void)[] = [];
  const abortOn = (signal: AbortSignal) => {
    removers.push(onAbort(signal, () => canceled.abort(new HandlerAborted())));
  };
  const run = async () => {
    abortOn(stop);
    try {
      if (stop.aborted) throw new HandlerAborted();
      return await runTraced(consumer, envelope, (traced) => runInTime(consumer, traced, canceled));
    } finally {
      for (const remove of removers) remove();
    }
  };
  return { ended: run(), abortOn };
}

/**
 * Where the trace of the event is recorded, the handler is the work of a span of its own, in the trace of the event's
 * producer, and passes it on to what it calls.
 */
async function runTraced(
  { tracing, subscription, spanIds }: Consumer,
  envelope: Envelope,
  handle: (traced: Envelope) => Promise<Handled>,
): Promise<Handled> {
  if (tracing === undefined) return await handle(envelope);
  const startedAt = Date.now();
  const span = beginProcessing(tracing, subscription.name, envelope);
  try {
    // Not as the work of its job, which is recorded where another event of it is.
    if (span === undefined) return await runUnrecorded(() => handle(envelope));
    // Of the job, which has events of other traces too.
    currentSpan()?.link(span);
    return await span.run(() => handle({ ...envelope, traceparent: span.traceparent }));
  } catch (error) {
    // An event that its process leaves to another has not failed.
    if (!(error instanceof HandlerAborted)) {
      const failed = failProcessing(tracing, envelope, { subscription: subscription.name, span, startedAt, error });
      if (failed !== undefined) spanIds.set(envelope, failed);
    }
    throw error;
  } finally {
    span?.end();
  }
}

async function runInTime(
  { subscription, counts }: Consumer,
  envelope: Envelope,
  canceled: LazySignal,
): Promise<Handled> {
  const startedAt = performance.now();
  const timer = setTimeout(() => canceled.abort(new HandlerTimedOut(handlerTimeoutMs)), handlerTimeoutMs);
  try {
    const inbox = { subscription: subscription.name, eventId: envelope.id };
    return await raceSignal(subscription.handle(envelope, inbox, canceled), canceled);
  } finally {
    counts?.duration.record((performance.now() - startedAt) / 1_000);
    clearTimeout(timer);
  }
}
