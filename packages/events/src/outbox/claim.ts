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
export interface Batch {
  readonly events: readonly EnvelopeJson[];
  readonly deliveries: readonly Delivery[];
}

/** A batch, and what all registered subscriptions want. */
export interface Claim extends Batch {
  readonly topics: readonly string[];
}

/** The SQL that reads an outbox row as a `rialto.events.v1.Envelope` in proto3 JSON. */
export const envelopeOf = (sql: Sql) => sql`json_build_object('id', event_id, 'topic', topic, 'subject', subject,
  'version', version, 'time', time, 'traceparent', traceparent, 'payload', payload)`;

/**
 * Claims the oldest unsent events as a new batch, with a delivery for every subscription that wants one of them. Events
 * that no subscription wants are settled with the batch. It is one statement, so one snapshot: an event that it sees
 * was published before every registration that it does not see. Rows that another relay is claiming are skipped.
 * Returns undefined where nothing is unsent.
 *
 * With `hasInbox` the publisher subscribes too, and its inbox is in the same schema. An event that had its effect in
 * one of its own subscriptions, by the commit that came after it, needs no delivery to that one.
 */
export async function claimBatch(sql: Sql, { hasInbox }: { readonly hasInbox: boolean }): Promise<Claim | undefined> {
  const batchId = uuidv7();
  // By lists of ids, so that the plan does not depend on how long the inbox was when it was made.
  const consumed = hasInbox
    ? sql`select subscription, event_id from inbox
        where subscription = any (array(select subscription from registration))
          and event_id = any (array(select event_id from claimed))`
    : sql`select null::text as subscription, null::uuid as event_id where false`;
  const [claim] = await sql<
    { events: EnvelopeJson[]; wanted: { subscription: string; topics: string[] }[] | null; topics: string[] | null }[]
  >`
    with claimed as materialized (
      select id, event_id, topic, subject, version, time, traceparent, payload from outbox
      where batch_id is null order by id limit ${relayBatchRowsMax} for update skip locked),
    consumed as materialized (${consumed}),
    wanted as materialized (
      select subscription, topics from registration
      where exists (select from claimed
        where (topic = any (registration.topics) or split_part(topic, '.', 1) || '.*' = any (registration.topics))
          and (registration.subscription, claimed.event_id) not in (select subscription, event_id from consumed))),
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
      (select json_agg(json_build_object('subscription', subscription, 'topics', topics)) from wanted) as wanted,
      (select array_agg(distinct topic) from registration, unnest(topics) as topic) as topics
    where exists (select from claimed)`;
  if (claim === undefined) return undefined;
  const { events, wanted, topics } = claim;
  return {
    events,
    deliveries: (wanted ?? []).map((one) => ({ ...one, batchId, attempt: 0 })),
    topics: topics ?? [],
  };
}

/** Enqueues the job of each delivery. Idempotent: the queue knows the id. */
export async function addDeliveries(jobs: Jobs, { events, deliveries }: Batch): Promise<void> {
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
