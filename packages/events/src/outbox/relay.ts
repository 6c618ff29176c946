import { createLoop } from "@rialto/async";
import type { Database } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import { watchOutage } from "../outage.ts";
import type { Jobs } from "../queue/jobs.ts";
import { sweepOutbox } from "./retention.ts";
import { addDeliveries, type Claim, claimBatch, relayBatchRowsMax } from "./send.ts";
import { deliveriesAskedMax, settleDeliveries } from "./settle.ts";

/** How often an idle relay looks for what a dead process left. What this process commits wakes it. */
const pollMs = 400;
const settleMs = 400;
const sweepMs = 60_000;
/** Rounds in which a batch could not be added whole before it is left to settling: what stands behind it is not held up for good. */
const addRoundsMax = 5;

/** Takes committed events from the outbox to the queues of their subscriptions. */
export interface Relay {
  start(): void;
  /** To be called after each commit that published something. */
  wake(): void;
  stop(): Promise<void>;
}

/**
 * Creates the relay of one service. Every replica runs one; they share the work by locks on rows and may die at any
 * point.
 *
 * Idle. Entered when a claim found fewer events than a batch holds. Nothing unsent was visible then, or another relay
 * was taking it. Left for draining by a wake at once, or by a slow poll, which finds what a process committed and did
 * not live to send.
 *
 * Draining. Entered from idle. Each round claims a batch (committed: batch, deliveries, the events' batch_id) and then
 * adds a job for each delivery. Events are claimed in the order of their ids, so those of one subject in the order of
 * their versions. While the queue is down hardly more is claimed: the round's batch is kept and added first when it is
 * back. Where it still cannot be added after a few rounds, be it for one queue alone, it is left to settling, and the next one has its turn. Left for
 * idle when nothing is left.
 *   A crash before the claim's commit leaves unsent events: the next relay takes them.
 *   A crash after it leaves deliveries without a job: settling finds that the queue does not know them.
 *   A crash after the add leaves nothing to do.
 *
 * Settling. Runs beside the other two, so that it never holds up an event. Each round asks the queue about open
 * deliveries whose time has come. One whose job is done is settled, and its batch with the last of them; one that the
 * queue lost (its memory was wiped, or it gave the job up) is added again under a new id. A delivery is settled only on
 * the queue's word that its job is done, and a job is done only after the subscriber's commit: so every event stays
 * open in the outbox until its effect, or that it is to be tried alone, is stored with the subscriber. Between rounds
 * it removes what was settled long ago.
 *
 * Stopped. Entered from any mode by `stop`, after the round at work. What is claimed and not added is left as by a
 * crash.
 *
 * An outage of Postgres or of the queue is logged once; the loop that met it goes on after a growing, jittered wait.
 */
export function createRelay(o: { readonly database: Database; readonly jobs: Jobs; readonly log: Logger }): Relay {
  const { jobs, log } = o;
  const { sql } = o.database;
  let unadded: Claim | undefined;
  let addRounds = 0;
  let sweepDue = Date.now() + sweepMs * Math.random();

  async function drain(): Promise<"more" | "done"> {
    unadded ??= await claimBatch(sql);
    const { events } = unadded;
    addRounds += 1;
    try {
      await addDeliveries(jobs, unadded);
    } catch (error) {
      if (addRounds < addRoundsMax) throw error;
      log.warn(
        { err: error, events: events.length },
        "a batch could not be added to each of its queues: it is left to settling",
      );
    }
    addRounds = 0;
    unadded = undefined;
    return events.length === relayBatchRowsMax ? "more" : "done";
  }

  async function settle(): Promise<"more" | "done"> {
    const asked = await settleDeliveries(sql, jobs, log);
    if (Date.now() >= sweepDue && !(await sweepOutbox(sql))) sweepDue = Date.now() + sweepMs;
    return asked === deliveriesAskedMax ? "more" : "done";
  }

  const draining = createLoop({ idleMs: pollMs, outage: watchOutage(log, "relay"), round: drain });
  const settling = createLoop({ idleMs: settleMs, outage: watchOutage(log, "relay, settling"), round: settle });
  return {
    start() {
      draining.start();
      settling.start();
    },
    wake: draining.wake,
    async stop() {
      await Promise.all([draining.stop(), settling.stop()]);
    },
  };
}
