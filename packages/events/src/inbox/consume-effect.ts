import { type Bulkhead, raceSignal } from "@rialto/async";
import type { Envelope } from "../event/envelope.ts";
import { type Consumer, setBack } from "./consumer.ts";
import { isEarly } from "./cursor.ts";
import { HandlerAborted, HandlerTimedOut } from "./handler-outcome.ts";
import { failAgain, holdBack, type PendingEvent, park, release, renewLease } from "./pending.ts";
import type { InboxKey } from "./subscription.ts";

/** A handler that goes on for longer is given up on. Shorter than an event is lent to whoever tries it alone. */
const handlerTimeoutMs = 30_000;

/** An event that waited longer for its turn is lent anew before its handler runs: else another process might take it in the middle. */
const renewAfterMs = 250;

/** A subscription's handler that calls others. */
export type RunWithEffect = (envelope: Envelope, inbox: InboxKey, signal: AbortSignal) => Promise<void>;

/** What runs handlers with an effect in this process. */
export interface EffectRunner {
  readonly run: RunWithEffect;
  /** Bounds how many handlers run at a time, over all jobs. */
  readonly bulkhead: Bulkhead;
  /** Writes down that the effect is there. */
  readonly record: (envelope: Envelope) => Promise<void>;
}

/**
 * Runs a batch: the events of one subject one after another, different subjects at the same time. One that fails leaves
 * the batch, the others go on. Throws, after all have ended, where an outcome could not be written down or the process
 * stops: the job comes again, and what is in the inbox by then is passed over.
 */
export async function consumeWithEffect(
  consumer: Consumer,
  runner: EffectRunner,
  batch: readonly Envelope[],
  stop: AbortSignal,
): Promise<void> {
  const subjects = Map.groupBy(batch, ({ subject }) => subject);
  const ended = await Promise.allSettled(
    [...subjects.values()].map(async (events) => {
      for (const envelope of events) {
        await runner.bulkhead.run(async () => await consumeInBatch(consumer, runner, envelope, stop));
      }
    }),
  );
  const failed = ended.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function consumeInBatch(consumer: Consumer, runner: EffectRunner, envelope: Envelope, stop: AbortSignal) {
  const { sql, subscription } = consumer;
  if (subscription.ordered && (await isEarly(sql, subscription.name, envelope))) {
    await park(sql, subscription.name, envelope);
    return;
  }
  try {
    await runHandler(consumer, runner, envelope, stop);
  } catch (error) {
    if (stop.aborted) throw new HandlerAborted();
    await holdBack(sql, subscription.name, envelope, setBack(consumer, envelope, error));
    return;
  }
  await runner.record(envelope);
}

/** Runs an event that left its batch. Answers whether it is done with. */
export async function consumeAloneWithEffect(
  consumer: Consumer,
  runner: EffectRunner,
  event: PendingEvent,
  stop: AbortSignal,
): Promise<boolean> {
  const { sql, subscription } = consumer;
  const { envelope, attempts, outages } = event;
  try {
    if ((await runner.bulkhead.run(() => runLent(consumer, runner, event, stop))) === "TAKEN") return false;
  } catch (error) {
    if (stop.aborted) await release(sql, subscription.name, [envelope.id]);
    else
      await failAgain(sql, subscription.name, envelope.id, setBack(consumer, envelope, error, { attempts, outages }));
    return false;
  }
  await runner.record(envelope);
  return true;
}

/** Runs the handler, unless the event had its effect already, or was TAKEN by another process while it waited for its turn. */
async function runLent(
  consumer: Consumer,
  runner: EffectRunner,
  event: PendingEvent,
  stop: AbortSignal,
): Promise<"DONE" | "TAKEN"> {
  const { sql, subscription } = consumer;
  const { envelope, claimedAt } = event;
  const waited = performance.now() - claimedAt > renewAfterMs;
  if (waited && !(await renewLease(sql, subscription.name, event))) return "TAKEN";
  const [seen] = await sql`
    select 1 as seen from inbox where subscription = ${subscription.name} and event_id = ${envelope.id}`;
  if (seen === undefined) await runHandler(consumer, runner, envelope, stop);
  return "DONE";
}

/** Ends when the handler has ended, has had its time, or the process stops; whether it listens to its signal or not. */
async function runHandler(
  { subscription }: Consumer,
  { run }: EffectRunner,
  envelope: Envelope,
  stop: AbortSignal,
): Promise<void> {
  if (stop.aborted) throw new HandlerAborted();
  const controller = new AbortController();
  const onStop = () => controller.abort(new HandlerAborted());
  const timer = setTimeout(() => controller.abort(new HandlerTimedOut(handlerTimeoutMs)), handlerTimeoutMs);
  stop.addEventListener("abort", onStop, { once: true });
  try {
    const inbox = { subscription: subscription.name, eventId: envelope.id };
    await raceSignal(run(envelope, inbox, controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
  }
}
