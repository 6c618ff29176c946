import type { Sql } from "@rialto/database";
import { addSharedGauge, cachedFor, type Metrics, sharedReadingMsMax } from "@rialto/telemetry";
import { secondsSince } from "../event/event-metrics.ts";
import type { Jobs } from "../queue/jobs.ts";
import { subscriberStats } from "./stats.ts";

/** Adds the gauges of a subscriber: its pending events, its dead letters, and the jobs in its queues. */
export function addSubscriberGauges(
  metrics: Metrics,
  o: { readonly sql: Sql; readonly jobs: Pick<Jobs, "depth">; readonly subscriptions: readonly string[] },
): void {
  const read = cachedFor(sharedReadingMsMax, async () => {
    // The age is that of the reading: the event may be handled while the reading is shown.
    const found = new Map(
      (await subscriberStats(o.sql)).map((stats) => [
        stats.subscription,
        { ...stats, oldestAge: secondsSince(stats.oldestTime) },
      ]),
    );
    return o.subscriptions.map((subscription) => ({ subscription, stats: found.get(subscription) }));
  });
  const gauge = (
    name: string,
    unit: string,
    description: string,
    valueIn: (stats: { waiting: number; dead: number; paused: boolean; oldestAge: number }) => number,
  ) =>
    addSharedGauge(metrics, { name, unit, description }, async () =>
      (await read()).map(({ subscription, stats }) => ({
        labels: { subscription },
        value: stats === undefined ? 0 : valueIn(stats),
      })),
    );
  gauge("rialto.inbox.pending", "{event}", "Events that wait for their next attempt", ({ waiting }) => waiting);
  gauge("rialto.inbox.oldest.age", "s", "Age of the oldest of them", ({ oldestAge }) => oldestAge);
  gauge("rialto.dead.letters", "{event}", "Events that failed too often and wait for a person", ({ dead }) => dead);
  gauge("rialto.subscription.paused", "1", "1 where an operator paused the subscription", ({ paused }) => +paused);
  const depths = cachedFor(sharedReadingMsMax, () =>
    Promise.all(o.subscriptions.map(async (name) => ({ name, depth: await o.jobs.depth(name) }))),
  );
  addSharedGauge(
    metrics,
    { name: "rialto.queue.depth", unit: "{job}", description: "Jobs that wait or run; each has up to 100 events" },
    async () => (await depths()).map(({ name, depth }) => ({ labels: { subscription: name }, value: depth })),
  );
}
