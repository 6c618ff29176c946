import type { Sql } from "@rialto/database";
import { assertTopics } from "./topics.ts";

/**
 * Registers a subscription with the publisher whose schema `sql` sees, or changes the topics of one. Once this has
 * committed, every matching event that is published, or published and not sent yet, waits for the subscription, also
 * while it is down.
 */
export async function registerSubscription(sql: Sql, name: string, topics: readonly string[]): Promise<void> {
  assertTopics(topics);
  await sql`
    insert into registration (subscription, topics) values (${name}, ${[...topics]})
    on conflict (subscription) do update set topics = excluded.topics, update_time = now()
    where registration.topics is distinct from excluded.topics`;
}
