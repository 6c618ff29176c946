import { createLoop } from "@rialto/async";
import type { Database } from "@rialto/database";
import type { Logger, Metrics, Tracing } from "@rialto/telemetry";
import { countPublished } from "../event/event-metrics.ts";
import { beginSending } from "../event/event-spans.ts";
import { coversTopic } from "../event/topics.ts";
import { watchOutage } from "../outage.ts";
import type { Jobs } from "../queue/jobs.ts";
import { addDeliveries, type Claim, claimBatch, relayBatchRowsMax } from "./claim.ts";
import { deleteSettledBatches } from "./retention.ts";
import { deliveriesAskedMax, settleDeliveries } from "./settle.ts";

/** How often an idle relay polls for what a dead process left. Commits of this process wake it. */
const pollMs = 400;
const settleMs = 400;
const retentionMs = 60_000;
/**
 * Rounds in which a batch could not be enqueued completely before it is left to settling, so that it does not hold up
 * later batches for good.
 */
const enqueueRoundsMax = 5;

/** Moves committed events from the outbox to the queues of their subscriptions. */
export interface Relay {
  start(): void;
  /**
   * Call it after each commit that published an event, with the topics if they are known: the relay's poll is soon
   * enough for what no subscription wanted when it last claimed events.
   */
  wake(topics?: readonly string[]): void;
  stop(): Promise<void>;
}

/**
 * Creates the relay of one service. Every replica runs one. They share the work by row locks, and may die at any point.
 *
 * Idle. Entered when a claim found fewer events than a batch holds. Nothing unsent was visible then, or another relay
 * was claiming it. Left for draining by a wake, or by a slow poll, which finds events whose process died before it sent
 * them.
 *
 * Draining. Entered from idle. Each round claims a batch (committed: batch, deliveries, the events' batch_id) and then
 * enqueues a job for each delivery. Events are claimed in the order of their ids, so those of one subject in the order
 * of their versions. While the queue is down no more is claimed: the round's batch is kept, and enqueued first when the
 * queue is back. If it cannot be enqueued after a few rounds, even for one queue only, it is left to settling, and the
 * next batch is claimed. Left for idle when nothing is unsent.
 *   A crash before the claim's commit leaves unsent events: the next relay claims them.
 *   A crash after it leaves deliveries without a job: settling finds that the queue does not know them.
 *   A crash after the enqueue leaves nothing to do.
 *
 * Settling. Runs beside the other two, so that it never delays an event. Each round asks the queue about open
 * deliveries that are due. One whose job is done is settled, and the batch with the last of its deliveries. One that
 * the queue lost (its memory was wiped, or it failed the job for good) is enqueued again under a new id. A delivery is
 * settled only when the queue reports its job as done, and a job is done only after the subscriber's commit. So every
 * event stays open in the outbox until the subscriber has stored its effect, or that it is pending.
 *
 * Sweeping. Runs beside the others, once a minute, and deletes what was settled long ago: statement after statement
 * until nothing is left, so that a relay that was down for days catches up.
 *
 * Stopped. Entered from any mode by `stop`, after the current round. A batch that is claimed and not enqueued is left
 * as by a crash.
 *
 * An outage of Postgres or of the queue is logged once. The loop that met it resumes after a growing delay with jitter.
 */
export function createRelay(o: {
  readonly database: Database;
  /** Whether the publisher has subscriptions, so that there is an inbox in its schema. */
  readonly hasInbox: boolean;
  readonly jobs: Jobs;
  readonly log: Logger;
  /** Makes the spans of the events that it enqueues. Nothing is traced without it. */
  readonly tracing?: Tracing | undefined;
  /** Counts the events. Nothing is counted without it. */
  readonly metrics?: Metrics | undefined;
}): Relay {
  const { jobs, log, tracing } = o;
  const { sql } = o.database;
  let unqueued: Claim | undefined;
  /** What all subscriptions want; undefined until events were claimed. */
  let wantedTopics: readonly string[] | undefined;
  let enqueueRounds = 0;

  const published = o.metrics === undefined ? undefined : countPublished(o.metrics);
  async function claimNext(): Promise<Claim | undefined> {
    const claim = await claimBatch(sql, o);
    if (claim !== undefined) published?.(claim.events.map(({ topic }) => topic));
    return claim;
  }

  async function drain(): Promise<"more" | "done"> {
    unqueued ??= await claimNext();
    if (unqueued === undefined) return "done";
    const { events, topics } = unqueued;
    wantedTopics = topics;
    enqueueRounds += 1;
    const sending = beginSending(tracing, events);
    try {
      await addDeliveries(jobs, { ...unqueued, events: sending.events });
      sending.end();
    } catch (error) {
      sending.end(error);
      if (enqueueRounds < enqueueRoundsMax) throw error;
      log.warn({ err: error, events: events.length }, "batch not enqueued to every queue, left to settling");
    }
    enqueueRounds = 0;
    unqueued = undefined;
    return events.length === relayBatchRowsMax ? "more" : "done";
  }

  async function settle(): Promise<"more" | "done"> {
    const asked = await settleDeliveries(sql, jobs, log);
    return asked === deliveriesAskedMax ? "more" : "done";
  }

  async function sweep(): Promise<"more" | "done"> {
    return (await deleteSettledBatches(sql)) ? "more" : "done";
  }

  const draining = createLoop({ idleMs: pollMs, outage: watchOutage(log, "relay"), round: drain });
  const settling = createLoop({ idleMs: settleMs, outage: watchOutage(log, "relay settling"), round: settle });
  const sweeping = createLoop({ idleMs: retentionMs, outage: watchOutage(log, "relay retention"), round: sweep });
  const loops = [draining, settling, sweeping];
  return {
    start() {
      for (const loop of loops) loop.start();
    },
    wake(topics) {
      const wanted = wantedTopics;
      if (topics === undefined || wanted === undefined || topics.some((topic) => coversTopic(wanted, topic)))
        draining.wake();
    },
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}
