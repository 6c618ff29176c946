import type { Database, PoolUse } from "@rialto/database";
import { addPublisherGauges, addSubscriberGauges, type Jobs, type Subscription } from "@rialto/events";
import { isReady, type Readiness } from "@rialto/rpc";
import { connectionInUse, type Metrics, poolNames } from "@rialto/telemetry";
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

/** Adds the gauge of the readiness of a service or a gateway. */
export function addReadyGauge(metrics: Metrics, readiness: Readiness): void {
  metrics.gauge({ name: "rialto.ready", unit: "1", description: "1 while the service is ready" }, async () => [
    { labels: {}, value: +isReady(await readiness()) },
  ]);
}

/** Adds the gauges of pools of connections to Postgres, as OpenTelemetry's conventions name them. */
export function addPoolGauges(metrics: Metrics, pools: () => readonly PoolUse[]): void {
  const gauge = (name: string, unit: string, description: string, valueIn: (pool: PoolUse) => number, state = {}) =>
    metrics.gauge({ name: `db.client.connection.${name}`, unit, description }, () =>
      pools().map((pool) => ({ labels: { [poolNames.name]: pool.name, ...state }, value: valueIn(pool) })),
    );
  gauge("max", "{connection}", "Connections that a pool opens at most", ({ connectionsMax }) => connectionsMax);
  gauge(
    "count",
    "{connection}",
    "Connections of a pool that are in use",
    ({ connectionsMax, inFlight }) => Math.min(connectionsMax, inFlight),
    { [poolNames.state]: connectionInUse },
  );
  gauge(
    "pending_requests",
    "{request}",
    "Statements and transactions that wait for a connection of a pool, or behind others in one",
    ({ connectionsMax, inFlight }) => Math.max(0, inFlight - connectionsMax),
  );
}

/**
 * Adds the gauges of one service: readiness, whether its queue answers, its pools, its outbox where it publishes, and
 * its inbox where it subscribes.
 */
export function addServiceGauges(
  metrics: Metrics,
  o: {
    readonly database: Database;
    /** Its own database and the extra ones. */
    readonly databases: readonly Database[];
    readonly jobs: Jobs;
    readonly publishes: boolean;
    readonly subscriptions: readonly Subscription[];
    readonly readiness: Readiness;
  },
): void {
  const { database, jobs, subscriptions } = o;
  addReadyGauge(metrics, o.readiness);
  metrics.gauge(
    { name: "rialto.queue.reachable", unit: "1", description: "1 while the job queue of the service answers" },
    () => [{ labels: {}, value: +jobs.isReachable() }],
  );
  addPoolGauges(metrics, () => o.databases.flatMap((one) => one.pools()));
  if (o.publishes) addPublisherGauges(metrics, database.sql);
  if (subscriptions.length > 0)
    addSubscriberGauges(metrics, { sql: database.sql, jobs, subscriptions: subscriptions.map(({ name }) => name) });
}
