import type { JsonValue } from "@bufbuild/protobuf";
import type { Sql } from "@rialto/database";
import { v7 as uuidv7 } from "uuid";
import { coversTopic } from "../event/topics.ts";
import type { Jobs } from "../queue/jobs.ts";

/** Events that one job carries at most: at about 1 KB an event a job stays near 100 KB. */
export const relayBatchRowsMax = 100;
/**
 * Delay before the queue is first asked about a job. By then the relay that claimed the batch has added it, or is dead.
 */
const firstAskDelayMs = 1_000;

/** One batch for one subscription, as a job. */
export interface Delivery {
  readonly batchId: string;
  readonly subscription: string;
  readonly attempt: number;
  readonly topics: readonly string[];
}

interface EnvelopeJson {
  readonly topic: string;
  readonly [field: string]: JsonValue;
}

/** The events of a batch, and its deliveries. */
export interface Claim {
  readonly events: readonly EnvelopeJson[];
  readonly deliveries: readonly Delivery[];
}

/** The SQL that reads an outbox row as a `rialto.events.v1.Envelope` in proto3 JSON. */
export const envelopeOf = (sql: Sql) => sql`json_build_object('id', event_id, 'topic', topic, 'subject', subject,
  'version', version, 'time', time, 'traceparent', traceparent, 'payload', payload)`;

/**
 * Claims the oldest unsent events as a new batch, with a delivery for every subscription that wants one of them. Events
 * that no subscription wants are settled with the batch. It is one statement, so one snapshot: an event that it sees
 * was published before every registration that it does not see. Rows that another relay is claiming are skipped.
 */
export async function claimBatch(sql: Sql): Promise<Claim> {
  const batchId = uuidv7();
  const [claim] = await sql<
    { events: EnvelopeJson[] | null; wanted: { subscription: string; topics: string[] }[] | null }[]
  >`
    with claimed as materialized (
      select id, event_id, topic, subject, version, time, traceparent, payload from outbox
      where batch_id is null order by id limit ${relayBatchRowsMax} for update skip locked),
    wanted as materialized (
      select subscription, topics from registration
      where exists (select from claimed
        where topic = any (registration.topics) or split_part(topic, '.', 1) || '.*' = any (registration.topics))),
    batched as (
      insert into batch (id, settle_time)
      select ${batchId}::uuid, case when not exists (select from wanted) then now() end
      where exists (select from claimed)),
    delivered as (
      insert into delivery (batch_id, subscription, topics, ask_time)
      select ${batchId}::uuid, subscription, topics, now() + ${firstAskDelayMs} * interval '1 millisecond' from wanted),
    marked as (
      update outbox set batch_id = ${batchId}::uuid where id = any (array(select id from claimed)))
    select (select json_agg(${envelopeOf(sql)} order by id) from claimed) as events,
      (select json_agg(json_build_object('subscription', subscription, 'topics', topics)) from wanted) as wanted`;
  return {
    events: claim?.events ?? [],
    deliveries: (claim?.wanted ?? []).map((wanted) => ({ ...wanted, batchId, attempt: 0 })),
  };
}

/** Enqueues the job of each delivery. Idempotent: the queue knows the id. */
export async function addDeliveries(jobs: Jobs, { events, deliveries }: Claim): Promise<void> {
  await Promise.all(
    deliveries.map(async (delivery) => {
      const data = events.filter(({ topic }) => coversTopic(delivery.topics, topic));
      await jobs.add(delivery.subscription, [{ id: jobIdOf(delivery), data }]);
    }),
  );
}

/** A re-enqueued job has a new id, because the queue may still know the old one as failed. */
export function jobIdOf({ batchId, subscription, attempt }: Omit<Delivery, "topics">): string {
  return `${batchId}.${subscription}.${attempt}`;
}
