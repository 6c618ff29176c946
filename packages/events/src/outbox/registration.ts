import type { Sql } from "@rialto/database";
import { assertTopics } from "../event/topics.ts";

/**
 * Registers a subscription with the publisher whose schema `sql` sees, or adds topics to one. Once this has committed,
 * every matching event that is published, or published and not sent yet, waits for the subscription, also while it is
 * down.
 *
 * No topic is taken away: a replica of an older version that starts again in the middle of a roll-out does not know the
 * newest ones, and what is published of them must not be settled unseen.
 */
export async function registerSubscription(sql: Sql, name: string, topics: readonly string[]): Promise<void> {
  assertTopics(topics);
  await sql`
    insert into registration (subscription, topics) values (${name}, ${[...topics]})
    on conflict (subscription) do update set update_time = now(), topics = array(
      select distinct topic from unnest(registration.topics || excluded.topics) as topic order by topic)
    where not registration.topics @> excluded.topics`;
}
