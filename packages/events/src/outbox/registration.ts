import type { Sql, Transaction } from "@rialto/database";
import { assertTopics } from "../event/topics.ts";

/**
 * Registers a subscription with the publisher whose schema `sql` sees, or adds topics to its registration. Once this
 * has committed, every matching event that is published, or published and not sent yet, is kept for the subscription,
 * also while it is down.
 *
 * No topic is removed but the former ones: a replica of an older version that restarts during a roll-out does not know
 * the newest topics, and their events must not be settled without having been delivered. A replica that is so old that
 * it asks for a former topic adds it again, until one of this version starts.
 */
export async function registerSubscription(
  sql: Sql,
  o: {
    readonly subscription: string;
    readonly topics: readonly string[];
    readonly formerTopics?: readonly string[];
  },
): Promise<void> {
  const { subscription, topics, formerTopics = [] } = o;
  assertTopics(topics);
  const former = sql`${[...formerTopics]}::text[]`;
  await sql`
    insert into registration (subscription, topics) values (${subscription}, ${[...topics]})
    on conflict (subscription) do update set update_time = now(), topics = array(
      select distinct topic from unnest(registration.topics || excluded.topics) as topic
      where topic <> all (${former}) order by topic)
    where not registration.topics @> excluded.topics or registration.topics && ${former}`;
}

/**
 * Deletes a subscription from the publisher's schema that `tx` sees: its registration and its open deliveries. Batches
 * without another open delivery are settled. Returns whether anything was there.
 *
 * The lock waits for relays that are claiming a batch by this registration, so that their deliveries are seen here.
 * Relays that claim later wait for the deletion.
 */
export async function removeRegistration(tx: Transaction, subscription: string): Promise<boolean> {
  await tx`lock table delivery in share row exclusive mode`;
  const [gone] = await tx<{ registrations: number; deliveries: number }[]>`
    with registrations as (delete from registration where subscription = ${subscription} returning 1),
    deliveries as (delete from delivery where subscription = ${subscription} and settle_time is null returning batch_id),
    settled as (
      update batch set settle_time = now()
      where settle_time is null and id in (select batch_id from deliveries) and not exists (
        select from delivery
        where batch_id = batch.id and subscription <> ${subscription} and settle_time is null))
    select (select count(*)::int from registrations) as registrations, (select count(*)::int from deliveries) as deliveries`;
  return gone !== undefined && gone.registrations + gone.deliveries > 0;
}
