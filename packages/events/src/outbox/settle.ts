import type { Sql } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import type { Jobs } from "../queue/jobs.ts";
import { addDeliveries, type Batch, type Delivery, envelopeOf, jobIdOf } from "./claim.ts";

/** Deliveries that one round asks the queue about. */
export const deliveriesAskedMax = 100;
/**
 * A delivery is asked about again after a quarter of its age, within these bounds. The queue keeps done jobs far longer
 * (queue/options.ts).
 */
const askDelayMsMin = 300;
const askDelayMsMax = 10_000;

/**
 * Asks the queue about the deliveries that are due, and settles those whose job is done. Jobs that the queue does not
 * know, or has failed for good, are enqueued again under a new id. Returns how many deliveries it asked about. A
 * failure of one subscription does not delay the others: its error is thrown when the rest is done.
 */
export async function settleDeliveries(sql: Sql, jobs: Jobs, log: Logger): Promise<number> {
  const asked = await claimDueDeliveries(sql);
  const done: Delivery[] = [];
  const lost: Delivery[] = [];
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<void>) => await work().catch((error: unknown) => failures.push(error));
  for (const [queue, deliveries] of Map.groupBy(asked, ({ subscription }) => subscription)) {
    await attempt(async () => {
      const states = await jobs.states(queue, deliveries.map(jobIdOf));
      for (const delivery of deliveries) {
        const state = states.get(jobIdOf(delivery));
        if (state === "completed") done.push(delivery);
        if (state === "lost") lost.push(delivery);
      }
    });
  }
  if (done.length > 0) await attempt(() => settle(sql, done));
  for (const delivery of lost) await attempt(() => reenqueue(sql, jobs, delivery, log));
  if (failures.length > 0) throw failures[0];
  return asked.length;
}

/**
 * Moves the time of each delivery on, so that no other relay asks about it. A relay that dies after this costs that
 * delay.
 */
async function claimDueDeliveries(sql: Sql): Promise<readonly Delivery[]> {
  return await sql<Delivery[]>`
    update delivery d
    set ask_time = now() + greatest(least((now() - b.create_time) / 4, ${askDelayMsMax} * interval '1 millisecond'),
      ${askDelayMsMin} * interval '1 millisecond')
    from batch b
    where b.id = d.batch_id and (d.batch_id, d.subscription) in (
      select batch_id, subscription from delivery where settle_time is null and ask_time <= now()
      order by ask_time limit ${deliveriesAskedMax} for update skip locked)
    returning d.batch_id as "batchId", d.subscription, d.attempt, d.topics`;
}

/**
 * Settles deliveries, and the batches that have no other open one. Where two relays settle the last two deliveries of a
 * batch at once, each sees the other's as open: that batch is settled by retention.
 */
async function settle(sql: Sql, done: readonly Delivery[]): Promise<void> {
  const batchIds = done.map(({ batchId }) => batchId);
  await sql`
    with done as materialized (
      select * from unnest(${batchIds}::uuid[], ${done.map(({ subscription }) => subscription)}::text[])
        as done (batch_id, subscription)),
    settled as (
      update delivery set settle_time = now()
      where settle_time is null and (batch_id, subscription) in (select batch_id, subscription from done))
    update batch set settle_time = now()
    where id = any (${batchIds}::uuid[]) and settle_time is null and not exists (
      select from delivery
      where batch_id = batch.id and settle_time is null
        and (batch_id, subscription) not in (select batch_id, subscription from done))`;
}

async function reenqueue(sql: Sql, jobs: Jobs, lost: Delivery, log: Logger): Promise<void> {
  const attempt = lost.attempt + 1;
  const taken = await sql`
    update delivery set attempt = ${attempt}
    where batch_id = ${lost.batchId} and subscription = ${lost.subscription} and attempt = ${lost.attempt}
      and settle_time is null`;
  if (taken.count === 0) return;
  const [batch] = await sql<{ events: Batch["events"] | null }[]>`
    select json_agg(${envelopeOf(sql)} order by id) as events from outbox where batch_id = ${lost.batchId}`;
  await addDeliveries(jobs, { events: batch?.events ?? [], deliveries: [{ ...lost, attempt }] });
  log.info({ subscription: lost.subscription, batch: lost.batchId, attempt }, "lost job re-enqueued");
}
