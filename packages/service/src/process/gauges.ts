import type { Database } from "@rialto/database";
import { addPublisherGauges, addSubscriberGauges, type Jobs, type Subscription } from "@rialto/events";
import type { Metrics } from "@rialto/telemetry";
import type { ClientFactory } from "../clients.ts";

const breakerStates = ["closed", "half-open", "open"] as const;

/** Adds the gauge of the services that a process calls: how many replicas have their breaker in each state. */
export function addUpstreamGauges(metrics: Metrics, clients: Pick<ClientFactory, "status">): void {
  metrics.gauge(
    {
      name: "rialto.upstream.replicas",
      unit: "{replica}",
      description: "Replicas of the services that this process calls, by the state of their circuit breaker",
    },
    () =>
      clients.status().flatMap(({ service: upstream, replicas }) =>
        breakerStates.map((state) => ({
          labels: { upstream, state },
          value: replicas.filter(({ breaker }) => breaker === state).length,
        })),
      ),
  );
}

/**
 * Adds the gauges of one service: readiness, whether its queue answers, its outbox where it publishes, its inbox where
 * it subscribes.
 */
export function addServiceGauges(
  metrics: Metrics,
  o: {
    readonly database: Database;
    readonly jobs: Jobs;
    readonly publishes: boolean;
    readonly subscriptions: readonly Subscription[];
    readonly isReady: () => Promise<boolean>;
  },
): void {
  const { database, jobs, subscriptions } = o;
  metrics.gauge({ name: "rialto.ready", unit: "1", description: "1 while the service is ready" }, async () => [
    { labels: {}, value: +(await o.isReady()) },
  ]);
  metrics.gauge(
    { name: "rialto.queue.reachable", unit: "1", description: "1 while the job queue of the service answers" },
    () => [{ labels: {}, value: +jobs.isReachable() }],
  );
  if (o.publishes) addPublisherGauges(metrics, database.sql);
  if (subscriptions.length > 0)
    addSubscriberGauges(metrics, { sql: database.sql, jobs, subscriptions: subscriptions.map(({ name }) => name) });
}
