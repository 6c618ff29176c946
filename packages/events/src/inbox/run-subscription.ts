import type { JsonValue } from "@bufbuild/protobuf";
import { createBulkhead, createLoop } from "@rialto/async";
import type { Database } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import { type Envelope, openEnvelope } from "../event/envelope.ts";
import { coversTopic } from "../event/topics.ts";
import { watchOutage } from "../outage.ts";
import type { Jobs } from "../queue/jobs.ts";
import { createEffectRecord } from "./acknowledgement.ts";
import { consumeAloneWithEffect, consumeWithEffect, type EffectRunner } from "./consume-effect.ts";
import { consumeAloneInTransaction, consumeInTransaction } from "./consume-transaction.ts";
import type { Consumer } from "./consumer.ts";
import { createIntake } from "./pausable-worker.ts";
import { isPaused } from "./pausing.ts";
import { claimPending, type PendingEvent, pendingAtOnceMax, putAside, release, takenOver } from "./pending.ts";
import { sweepInbox } from "./retention.ts";
import type { Subscription } from "./subscription.ts";
import { passOverUnknown, takeUpUnknown } from "./unknown-topics.ts";

/** Jobs that one process works on at a time. With an effect outside most of the time is waiting. */
const transactionJobsMax = 2;
const effectJobsMax = 8;
/** How often a subscription looks for events that are to be tried again or whose turn has come, and whether it is paused. */
const pendingPollMs = 500;
/** How often it looks for what another version put aside for one that knows its topic. */
const takeUpMs = 5_000;
const sweepMs = 60_000;

/** How a subscription's events are handled, whichever form its handler has. */
interface Course {
  readonly jobsMax: number;
  batch(envelopes: readonly Envelope[], stop: AbortSignal): Promise<void>;
  alone(event: PendingEvent, stop: AbortSignal): Promise<boolean>;
}

/**
 * Runs a subscription in this process: takes its jobs, and beside them tries alone what has left its batch. A job is done when each of its events has had its
 * effect, or waits in the subscriber's own schema; so one that always fails, or waits for something that is down, holds up nobody.
 *
 * While the subscription is paused nothing is taken, neither jobs nor what stands aside: the queue and the publisher keep them. Whether it is, is
 * looked up before the first job is taken and at each look for events that stand aside.
 *
 * @param o `openSince` asks the publishers since when a delivery to it is open: what it remembers since then is not swept, and where they cannot be
 * asked nothing is. Without it there are no publishers that could be asked. `isOutage` tells what something that is down does to the handler: such a failure is not the event's own.
 */
export function runSubscription(o: {
  readonly subscription: Subscription;
  /** Every subscription of the service, itself among them. */
  readonly running?: readonly string[];
  readonly database: Database;
  readonly jobs: Jobs;
  readonly log: Logger;
  isOutage(error: unknown): boolean;
  openSince?(signal: AbortSignal): Promise<Date | undefined>;
}): { stop(): Promise<void> } {
  const { subscription, jobs, log } = o;
  const { name, topics, ordered } = subscription;
  const { sql } = o.database;
  const course = courseOf({ subscription, sql, log, isOutage: o.isOutage });
  const stopping = new AbortController();
  /** Events that were lent to this process, and whose outcome could not be written down; and why. */
  let unfinished: string[] = [];
  let unwritten: { readonly error: unknown } | undefined;
  /** The events that are tried alone at this moment. Each has a place of its own: one whose handler hangs holds up no other. */
  const alone = new Set<Promise<void>>();
  let trying = new AbortController();
  /** Topics that this version does not know and the log has told of. */
  const unknownTold = new Set<string>();
  let takeUpDue = Date.now();
  let sweepDue = Date.now() + sweepMs * Math.random();
  let sweeping: Promise<void> | undefined;

  async function consumeJob(data: JsonValue, signal: AbortSignal): Promise<void> {
    const { envelopes, unreadable } = openJob(data);
    const taken = await takenOver(
      sql,
      name,
      envelopes.map(({ id }) => id),
    );
    const fresh = envelopes.filter(({ id }) => !taken.has(id));
    const known = fresh.filter(({ topic }) => coversTopic(topics, topic));
    for (const envelope of fresh.filter(({ topic }) => !coversTopic(topics, topic))) await leave(envelope);
    if (known.length > 0) await course.batch(known, signal);
    if (ordered) pending.wake();
    // Nothing is lost: the delivery stays open, and is seen as lag, until a version that can read it runs here.
    if (unreadable !== undefined) throw unreadable;
  }

  /** Leaves an event to a version that knows its topic. This one would take it for handled, and nobody would see it again. */
  async function leave(envelope: Envelope): Promise<void> {
    const { topic } = envelope;
    await putAside(sql, name, envelope);
    if (unknownTold.has(topic)) return;
    unknownTold.add(topic);
    log.warn({ subscription: name, topic }, "events of a topic that this version does not know wait for one that does");
  }

  async function sweep(): Promise<boolean> {
    const { passed, more } = await passOverUnknown(sql, subscription);
    for (const { topic, events } of passed) {
      log.warn(
        { subscription: name, topic, events },
        "events were passed over: no version that knows their topic came",
      );
    }
    const openSince = await o.openSince?.(stopping.signal);
    return (await sweepInbox(sql, { subscription: name, running: o.running ?? [name], openSince })) || more;
  }

  /** Sweeps beside everything else: asking the publishers may take its time. What fails is tried again in a minute. */
  function startSweep(): void {
    sweepDue = Number.POSITIVE_INFINITY;
    const swept = sweep()
      .catch((error: unknown) => {
        log.debug({ subscription: name, err: error }, "the inbox could not be swept");
        return false;
      })
      .then((more) => {
        sweepDue = Date.now() + (more ? 0 : sweepMs);
      });
    sweeping = swept;
  }

  /** Tries an event alone, beside the others. */
  function tryAlone(event: PendingEvent): void {
    const signal = AbortSignal.any([stopping.signal, trying.signal]);
    const tried = course
      .alone(event, signal)
      .catch((error: unknown) => {
        unfinished.push(event.envelope.id);
        unwritten = { error };
      })
      .then(() => {
        alone.delete(tried);
        // There may be more to try than there were places, or a successor whose turn has come.
        pending.wake();
      });
    alone.add(tried);
  }

  /** Stops taking events until the subscription is resumed. What is tried is aborted, and comes again then. */
  async function pause(): Promise<void> {
    trying.abort();
    await Promise.all([intake.close(), ...alone]);
    trying = new AbortController();
  }

  async function consumePending(): Promise<"more" | "done"> {
    const failed = unwritten;
    unwritten = undefined;
    if (failed !== undefined) throw failed.error;
    const lent = unfinished;
    if (lent.length > 0) await release(sql, name, lent);
    unfinished = unfinished.filter((id) => !lent.includes(id));
    if (await isPaused(sql, name)) {
      await pause();
      return "done";
    }
    intake.open();
    if (Date.now() >= takeUpDue && !(await takeUpUnknown(sql, subscription))) takeUpDue = Date.now() + takeUpMs;
    const free = pendingAtOnceMax - alone.size;
    if (free > 0) for (const event of await claimPending(sql, subscription, free)) tryAlone(event);
    if (Date.now() >= sweepDue) startSweep();
    return "done";
  }

  const intake = createIntake(() => jobs.work(name, consumeJob, { concurrency: course.jobsMax, log }));
  const pending = createLoop({
    idleMs: pendingPollMs,
    outage: watchOutage(log, `subscription ${name}`),
    round: consumePending,
  });
  pending.start();
  return {
    async stop() {
      const ended = intake.stop();
      stopping.abort();
      await Promise.all([ended, pending.stop()]);
      await Promise.all([...alone, sweeping]);
    },
  };
}

function courseOf(consumer: Consumer): Course {
  const { consume, concurrencyMax } = consumer.subscription;
  if (consume.kind === "transaction") {
    return {
      jobsMax: transactionJobsMax,
      batch: (envelopes) => consumeInTransaction(consumer, consume.run, envelopes),
      alone: (event) => consumeAloneInTransaction(consumer, consume.run, event),
    };
  }
  const runner: EffectRunner = {
    run: consume.run,
    bulkhead: createBulkhead({ max: concurrencyMax, waitingMax: Number.POSITIVE_INFINITY }),
    record: createEffectRecord(consumer.sql, consumer.subscription),
  };
  return {
    jobsMax: effectJobsMax,
    batch: (envelopes, stop) => consumeWithEffect(consumer, runner, envelopes, stop),
    alone: (event, stop) => consumeAloneWithEffect(consumer, runner, event, stop),
  };
}

/** Opens the envelopes of a job. One that cannot be opened is told of after the others have been handled. */
function openJob(data: JsonValue): { envelopes: readonly Envelope[]; unreadable: unknown } {
  if (!Array.isArray(data)) return { envelopes: [], unreadable: new Error("A job that is no list of envelopes") };
  const envelopes: Envelope[] = [];
  let unreadable: unknown;
  for (const json of data) {
    try {
      envelopes.push(openEnvelope(json));
    } catch (error) {
      unreadable = error;
    }
  }
  return { envelopes, unreadable };
}
