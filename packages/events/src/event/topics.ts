import type { Sql, Transaction } from "@rialto/database";

/** What a subscription may ask for: one topic ("order.confirmed"), or all of a service ("order.*"). */
const topicPattern = /^[a-z]+\.([a-z_]+|\*)$/;

/** Returns whether a subscription's topics cover the topic of an event. The relay's claim has the same rule in SQL. */
export function coversTopic(topics: readonly string[], topic: string): boolean {
  return topics.includes(topic) || topics.includes(`${topic.split(".", 1)[0]}.*`);
}

/** The SQL of `coversTopic`, for the column `topic`. */
export function isAmong(sql: Sql | Transaction, topics: readonly string[]) {
  const list = sql`${[...topics]}::text[]`;
  return sql`(topic = any (${list}) or split_part(topic, '.', 1) || '.*' = any (${list}))`;
}

/** Throws where a publisher would not accept a topic. */
export function assertTopics(topics: readonly string[]): void {
  if (topics.length === 0) throw new Error("A subscription needs a topic");
  const wrong = topics.find((topic) => !topicPattern.test(topic));
  if (wrong !== undefined) throw new Error(`"${wrong}" is not a topic. Examples: "order.confirmed", "order.*"`);
}
