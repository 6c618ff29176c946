import type { Sql } from "@rialto/database";
import { addSharedGauge, cachedFor, type Metrics, sharedReadingMsMax } from "@rialto/telemetry";
import { secondsSince } from "../event/event-metrics.ts";
import { publisherStats } from "./stats.ts";

/** Adds the gauges of a publisher's outbox: what each of its subscriptions still waits for. */
export function addPublisherGauges(metrics: Metrics, sql: Sql): void {
  const read = cachedFor(sharedReadingMsMax, async () =>
    // The age is that of the reading: the event may be delivered while the reading is shown.
    (await publisherStats(sql)).map((stats) => ({ ...stats, oldestAge: secondsSince(stats.oldestTime) })),
  );
  addSharedGauge(
    metrics,
    {
      name: "rialto.outbox.lag",
      unit: "{event}",
      description: "Published events that are not delivered yet, by subscription",
    },
    async () => (await read()).map(({ subscription, lag }) => ({ labels: { subscription }, value: lag })),
  );
  addSharedGauge(
    metrics,
    { name: "rialto.outbox.oldest.age", unit: "s", description: "Age of the oldest of them; 0 where there is none" },
    async () =>
      (await read()).map(({ subscription, oldestAge }) => ({
        labels: { subscription },
        value: oldestAge,
      })),
  );
}
