import type { JsonValue } from "@bufbuild/protobuf";
import { createBulkhead, createLoop, withTimeout } from "@rialto/async";
import type { Database } from "@rialto/database";
import { type Logger, type Metrics, runSpan, type Tracing } from "@rialto/telemetry";
import { type Envelope, openEnvelope } from "../event/envelope.ts";
import { consumerCounts } from "../event/event-metrics.ts";
import { beginReceiving } from "../event/event-spans.ts";
import { coversTopic } from "../event/topics.ts";
import { watchOutage } from "../outage.ts";
import { type Jobs, type StopOptions, stopGraceMsMax } from "../queue/jobs.ts";
import { createAcknowledgement } from "./acknowledgement.ts";
import { type Consumer, consumeBatch, consumeSingle } from "./consume-effect.ts";
import { createPausableWorker, isPaused } from "./pause.ts";
import { alreadyProcessed, claimPending, type PendingEvent, pendingAtOnceMax, quarantine, release } from "./pending.ts";
import { expireQuarantined, reclaimQuarantined } from "./quarantine.ts";
import { deleteOldInboxRows } from "./retention.ts";
import { createSlowLeases } from "./slow-leases.ts";
import type { Subscription } from "./subscription.ts";

/** Jobs that one process handles at a time. Handlers spend most of their time waiting. */
const jobsMax = 8;
/** How often a subscription polls for pending events that are due, and for its pause. */
const pendingPollMs = 500;
/** How often it looks whether the leases of its slow events are due for renewal. */
const renewPollMs = 1_000;
/** How often it polls for quarantined events whose topic it knows. */
const reclaimMs = 5_000;
const retentionMs = 60_000;

/** A subscription that runs in this process. */
export interface RunningSubscription {
  /**
   * Takes no more events from now on, waits for those that are being handled, and aborts what takes longer than its
   * grace: those events are delivered again. Further calls return the same promise.
   */
  stop(o?: StopOptions): Promise<void>;
}

/**
 * Runs a subscription in this process: handles its jobs in batches, and beside them its pending events one by one. A
 * job is done when each of its events has had its effect or is pending in the subscriber's own schema; so an event that
 * always fails, or waits for a dependency that is down, does not hold up others.
 *
 * While the subscription is paused it takes neither jobs nor pending events: the queue and the publisher keep them. It
 * looks for a pause before the first job and at each poll for pending events.
 *
 * @param o `openSince` asks the publishers when their oldest open delivery to it was made: what it remembers since then
 * is kept, and where they cannot be asked nothing is deleted. Without it there is no publisher to ask. `isOutage`
 * recognizes the handler's errors that a dependency that is down causes: they do not count as attempts.
 */
export function runSubscription(o: {
  readonly subscription: Subscription;
  /** Every subscription of the service, this one included. */
  readonly running?: readonly string[];
  readonly database: Database;
  readonly jobs: Jobs;
  readonly log: Logger;
  /** Makes the spans of its jobs and events. Nothing is traced without it. */
  readonly tracing?: Tracing | undefined;
  /** Counts its events. Nothing is counted without it. */
  readonly metrics?: Metrics | undefined;
  isOutage(error: unknown): boolean;
  openSince?(signal: AbortSignal): Promise<Date | undefined>;
}): RunningSubscription {
  const { subscription, jobs, log, tracing } = o;
  const { name, topics, concurrencyMax } = subscription;
  const { sql } = o.database;
  const leases = createSlowLeases(sql, subscription);
  const consumer: Consumer = {
    subscription,
    sql,
    log,
    tracing,
    spanIds: new WeakMap(),
    counts: o.metrics === undefined ? undefined : consumerCounts(o.metrics, name),
    isOutage: o.isOutage,
    bulkhead: createBulkhead({ max: concurrencyMax, waitingMax: Number.POSITIVE_INFINITY }),
    acknowledge: createAcknowledgement(sql, subscription),
    slow: {
      get stop() {
        return ending;
      },
      get size() {
        return slowOnes.size;
      },
      leases,
      add: (envelope, work) =>
        track(
          slowOnes,
          envelope,
          work.finally(() => leases.drop(envelope.id)),
        ),
    },
  };
  // Where many handlers may run, many of those that are retried wait for something: a card network, mostly.
  const singlesMax = Math.max(pendingAtOnceMax, Math.floor(concurrencyMax / 2));
  const stopping = new AbortController();
  /** Aborts, when the time to stop is over, what is handled outside of jobs. */
  const aborting = new AbortController();
  /** Claimed events whose result could not be stored, and the last error. */
  let unreleased: string[] = [];
  let storeFailure: { readonly error: unknown } | undefined;
  /**
   * The pending events that are being handled. Each occupies one of a fixed number, so a handler that hangs does not
   * hold up the others.
   */
  const singles = new Set<Promise<void>>();
  /** The events whose handlers have left their batch. */
  const slowOnes = new Set<Promise<void>>();
  let pausing = new AbortController();
  /** Aborts what is handled outside of jobs. */
  let ending = AbortSignal.any([aborting.signal, pausing.signal]);
  /** Unknown topics that were logged. */
  const loggedTopics = new Set<string>();
  let reclaimDue = Date.now();
  let retentionDue = Date.now() + retentionMs * Math.random();
  let deleting: Promise<void> | undefined;

  async function consumeJob(data: JsonValue, signal: AbortSignal): Promise<void> {
    const opened = openJob(data);
    const span = beginReceiving(tracing, name, opened.envelopes);
    if (span === undefined) await consumeOpened(opened, signal);
    else await runSpan(span, () => consumeOpened(opened, signal));
  }

  async function consumeOpened({ envelopes, unreadable }: OpenedJob, signal: AbortSignal): Promise<void> {
    const processed = await alreadyProcessed(
      sql,
      name,
      envelopes.map(({ id }) => id),
    );
    const fresh = envelopes.filter(({ id }) => !processed.has(id));
    const known = fresh.filter(({ topic }) => coversTopic(topics, topic));
    const others = fresh.filter(({ topic }) => !coversTopic(topics, topic));
    // What an earlier version asked for and no version needs any more has no effect, and leaves no row.
    const unknown = others.filter(({ topic }) => !subscription.ignoredTopics.includes(topic));
    for (const envelope of unknown) await quarantineUnknown(envelope);
    if (known.length > 0) await consumeBatch(consumer, known, signal);
    // Nothing is lost: the delivery stays open, and counts as lag, until a version that can read the event runs here.
    if (unreadable !== undefined) throw unreadable;
  }

  /** Leaves an event to a version that knows its topic. To acknowledge it here would lose it. */
  async function quarantineUnknown(envelope: Envelope): Promise<void> {
    const { topic } = envelope;
    await quarantine(sql, name, envelope);
    if (loggedTopics.has(topic)) return;
    loggedTopics.add(topic);
    log.warn({ subscription: name, topic }, "events of an unknown topic quarantined for a version that knows it");
  }

  async function deleteOld(): Promise<void> {
    for (let isMore = true; isMore && !stopping.signal.aborted; ) {
      const { expired, more } = await expireQuarantined(sql, subscription);
      for (const { topic, events } of expired)
        log.warn({ subscription: name, topic, events }, "quarantined events expired: no version knows their topic");
      isMore = more;
    }
    const openSince = await o.openSince?.(stopping.signal);
    await deleteOldInboxRows(sql, { subscription: name, running: o.running ?? [name], openSince }, stopping.signal);
  }

  /**
   * Runs beside everything else, because asking the publishers may take time. A failure is retried after `retentionMs`.
   */
  function startDeletion(): void {
    retentionDue = Number.POSITIVE_INFINITY;
    deleting = deleteOld()
      .catch((error: unknown) => {
        log.debug({ subscription: name, err: error }, "inbox retention failed, retrying");
      })
      .then(() => {
        retentionDue = Date.now() + retentionMs;
      });
  }

  /** Handles a pending event beside the others. */
  function startSingle(event: PendingEvent): void {
    track(singles, event.envelope, consumeSingle(consumer, event, ending));
  }

  /** Keeps an event that this process has claimed among others, until its result is stored. */
  function track(among: Set<Promise<void>>, { id }: Envelope, work: Promise<unknown>): void {
    const handled = work
      .catch((error: unknown) => {
        unreleased.push(id);
        storeFailure = { error };
      })
      .then(() => {
        among.delete(handled);
        // More may be due than could be claimed.
        pending.wake();
      });
    among.add(handled);
  }

  /**
   * Takes no events until the subscription is resumed. Handlers that run are aborted, and their events are delivered
   * again then.
   */
  async function pause(): Promise<void> {
    pausing.abort();
    await Promise.all([worker.pause(), ...singles, ...slowOnes]);
    pausing = new AbortController();
    ending = AbortSignal.any([aborting.signal, pausing.signal]);
  }

  async function consumePending(): Promise<"more" | "done"> {
    const failure = storeFailure;
    storeFailure = undefined;
    if (failure !== undefined) throw failure.error;
    const claimed = unreleased;
    if (claimed.length > 0) await release(sql, name, claimed);
    unreleased = unreleased.filter((id) => !claimed.includes(id));
    if (await isPaused(sql, name)) {
      await pause();
      return "done";
    }
    if (stopping.signal.aborted) return "done";
    worker.resume();
    if (Date.now() >= reclaimDue && !(await reclaimQuarantined(sql, subscription))) reclaimDue = Date.now() + reclaimMs;
    const free = singlesMax - singles.size;
    if (free > 0 && !stopping.signal.aborted)
      for (const event of await claimPending(sql, subscription, free)) startSingle(event);
    if (Date.now() >= retentionDue) startDeletion();
    return "done";
  }

  const worker = createPausableWorker(() => jobs.work(name, consumeJob, { concurrency: jobsMax, log }));
  const pending = createLoop({
    idleMs: pendingPollMs,
    outage: watchOutage(log, `subscription ${name}`),
    round: consumePending,
  });
  pending.start();
  // By itself, because a process that stops renews them until the last of its handlers has ended.
  const renewing = createLoop({
    idleMs: renewPollMs,
    outage: watchOutage(log, `leases of subscription ${name}`),
    async round() {
      await leases.renew();
      return "done";
    },
  });
  if (subscription.slow !== undefined) renewing.start();
  async function stop(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    stopping.abort();
    await Promise.all([worker.stop({ graceMs }), pending.stop(), deleting]);
    await withTimeout(Promise.all([...singles, ...slowOnes]), Math.max(0, until - performance.now()), undefined);
    aborting.abort();
    await Promise.all([...singles, ...slowOnes]);
    await renewing.stop();
  }
  let stopped: Promise<void> | undefined;
  return { stop: ({ graceMs = stopGraceMsMax } = {}) => (stopped ??= stop(graceMs)) };
}

interface OpenedJob {
  readonly envelopes: readonly Envelope[];
  readonly unreadable: unknown;
}

/**
 * Opens the envelopes of a job. The error of one that cannot be opened is returned, to be thrown after the others have
 * been handled.
 */
function openJob(data: JsonValue): OpenedJob {
  if (!Array.isArray(data)) return { envelopes: [], unreadable: new Error("The job is not a list of envelopes") };
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
