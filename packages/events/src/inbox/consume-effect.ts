import { type Bulkhead, raceSignal } from "@rialto/async";
import type { Sql } from "@rialto/database";
import { currentSpan, type Tracing } from "@rialto/telemetry";
import type { Envelope } from "../event/envelope.ts";
import { beginProcessing, failProcessing } from "../event/event-spans.ts";
import { type PendingEvent, release, renewLease, reschedule, scheduleRetry } from "./pending.ts";
import { type FailureContext, HandlerAborted, HandlerTimedOut, recordFailure } from "./retry-decision.ts";
import type { Handled, Subscription } from "./subscription.ts";

/** Timeout of a handler. Shorter than the lease on a pending event. */
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
  /** Bounds the handlers that run at a time, over all jobs. */
  readonly bulkhead: Bulkhead;
  /** Records that the handler had its effect. */
  readonly acknowledge: (envelope: Envelope) => Promise<void>;
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
  let handled: Handled;
  try {
    handled = await runHandler(consumer, envelope, stop);
  } catch (error) {
    if (stop.aborted) throw new HandlerAborted();
    await scheduleRetry(consumer.sql, consumer.subscription.name, envelope, recordFailure(consumer, envelope, error));
    return;
  }
  // Nothing is left to write: the event was not pending when its job began. If another process has made it so since
  // then, the next attempt finds the inbox row.
  if (handled !== "INBOX_WRITTEN") await consumer.acknowledge(envelope);
  consumer.counts?.processed.add();
}

/** Handles a pending event by itself. Returns whether it is done. */
export async function consumeSingle(consumer: Consumer, event: PendingEvent, stop: AbortSignal): Promise<boolean> {
  const { sql, subscription } = consumer;
  const { envelope } = event;
  try {
    if ((await consumer.bulkhead.run(() => runLeased(consumer, event, stop))) === "LOST") return false;
  } catch (error) {
    if (stop.aborted) await release(sql, subscription.name, [envelope.id]);
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

/**
 * Resolves when the handler has ended. Rejects when it fails, exceeds its timeout, or the process stops, even if it
 * ignores its signal. Where the trace of the event is recorded, the handler is the work of a span of its own, in the
 * trace of the event's producer, and passes it on to what it calls.
 */
async function runHandler(consumer: Consumer, envelope: Envelope, stop: AbortSignal): Promise<Handled> {
  if (stop.aborted) throw new HandlerAborted();
  const { tracing, subscription } = consumer;
  if (tracing === undefined) return await runInTime(consumer, envelope, stop);
  const startedAt = Date.now();
  const span = beginProcessing(tracing, subscription.name, envelope);
  try {
    if (span === undefined) return await runInTime(consumer, envelope, stop);
    // Of the job, which has events of other traces too.
    currentSpan()?.link(span);
    const traced = { ...envelope, traceparent: span.traceparent };
    return await span.run(() => runInTime(consumer, traced, stop));
  } catch (error) {
    // An event that its process leaves to another has not failed.
    if (!stop.aborted) failProcessing(tracing, envelope, { subscription: subscription.name, span, startedAt, error });
    throw error;
  } finally {
    span?.end();
  }
}

async function runInTime({ subscription, counts }: Consumer, envelope: Envelope, stop: AbortSignal): Promise<Handled> {
  const startedAt = performance.now();
  const controller = new AbortController();
  const onStop = () => controller.abort(new HandlerAborted());
  const timer = setTimeout(() => controller.abort(new HandlerTimedOut(handlerTimeoutMs)), handlerTimeoutMs);
  stop.addEventListener("abort", onStop, { once: true });
  try {
    const inbox = { subscription: subscription.name, eventId: envelope.id };
    return await raceSignal(subscription.handle(envelope, inbox, controller.signal), controller.signal);
  } finally {
    counts?.duration.record((performance.now() - startedAt) / 1_000);
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
  }
}
