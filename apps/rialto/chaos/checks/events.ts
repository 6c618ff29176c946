import type { Evidence } from "../evidence.ts";
import { subscriptionNames } from "../idle.ts";
import type { Check, Violation } from "./check.ts";

/**
 * Every committed event was published once and had its effect once in each subscription; no other event had an effect.
 */
export const eventsHadEffect: Check = (evidence) => {
  const { published, registrations, inbox, orderEvents, paymentEvents } = evidence;
  const violations: Violation[] = [];
  for (const name of subscriptionNames)
    if (!registrations.some(({ subscription }) => subscription === name))
      violations.push({ message: `the subscription ${name} is not registered` });

  const times = Map.groupBy(published, ({ id }) => id);
  for (const [id, rows] of times)
    if (rows.length > 1)
      violations.push({ order: rows[0]?.subject, message: `event ${id} was published ${rows.length} times` });
  for (const log of [orderEvents, paymentEvents])
    for (const events of log.values())
      for (const { id, subject_id, type } of events)
        if (!times.has(id))
          violations.push({
            order: orderOf(evidence, subject_id),
            message: `its event ${type} (${id}) was not published`,
          });
  const logged = new Set([...orderEvents.values(), ...paymentEvents.values()].flat().map(({ id }) => id));
  for (const { schema, id, topic, subject } of published)
    if ((schema === "order" || schema === "payment") && !logged.has(id))
      violations.push({
        order: orderOf(evidence, subject),
        message: `${topic} (${id}) was published and never committed`,
      });

  let effects = 0;
  for (const [subscription, wants] of Map.groupBy(registrations, (row) => row.subscription)) {
    const had = inbox.get(subscription) ?? new Set();
    const wanted = published.filter((event) =>
      wants.some((w) => w.schema === event.schema && covers(w.topics, event.topic)),
    );
    effects += wanted.length;
    for (const { id, topic, subject, early } of wanted)
      if (!had.has(id) && !early)
        violations.push({
          order: orderOf(evidence, subject),
          message: `${topic} (${id}) had no effect in ${subscription}`,
        });
    const known = new Set(wanted.map(({ id }) => id));
    for (const id of had)
      if (!known.has(id))
        violations.push({ message: `event ${id} had an effect in ${subscription} and was never published for it` });
  }
  return {
    name: "events",
    figures: `${published.length} published, ${effects} effects in ${new Set(registrations.map((r) => r.subscription)).size} subscriptions`,
    violations,
  };
};

/** No event is in an outbox, in a queue or waiting for a retry, and there is no dead letter. */
export const outboxesSettled: Check = ({ pending, ...evidence }) => {
  const dead = pending.filter(({ state }) => state === "DEAD");
  const violations = pending.map((row) => ({
    order: orderOf(evidence, row.subject),
    message: `${row.topic} is ${row.state} in ${row.subscription}: ${row.last_error}`,
  }));
  return {
    name: "dead letters",
    figures: `${dead.length} dead letters, ${pending.length - dead.length} still pending`,
    violations,
  };
};

/** No process ended unexpectedly, whatever was down. */
export const processesLived: Check = ({ unexpectedExits }) => ({
  name: "processes",
  figures: `${unexpectedExits.length} ended unexpectedly`,
  violations: unexpectedExits.map((message) => ({ message })),
});

function covers(topics: readonly string[], topic: string): boolean {
  return topics.includes(topic) || topics.includes(`${topic.split(".", 1)[0]}.*`);
}

/** The order with this id, or of the payment with this id. */
function orderOf({ orders, payments }: Pick<Evidence, "orders" | "payments">, subject: string): string | undefined {
  if (orders.has(subject)) return subject;
  return payments.find(({ id }) => id === subject)?.order_id;
}
