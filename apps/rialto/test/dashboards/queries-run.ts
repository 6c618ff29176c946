import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@rialto/testing";
import { openRestClient, type RestClient } from "../rest-client.ts";
import { oneProcess } from "../topology.ts";
import { type DeployedQuery, dashboardNames, deployedAlerts, metricsIn, queriesOf } from "./deployed-queries.ts";
import { type Prometheus, startPrometheus } from "./prometheus.ts";

/** How long values may take to be scraped on a busy machine. */
const scrapedMsMax = 60_000;

/**
 * Runs every query on a Prometheus that scrapes all services in one process, while orders are confirmed, declined, out
 * of stock and shipped. Each must be answered without an error, and with a value where it has one in a healthy system;
 * each metric of an alert must exist, and no alert may fire.
 */
export async function checkQueries(
  ruleFile: string,
): Promise<{ readonly queries: number; readonly series: number; readonly faults: readonly string[] }> {
  const port = await freePort();
  const system = await oneProcess("postgres", { RIALTO_ADMIN_PORT: String(port), RIALTO_ARGON2_COST: "test" });
  let prometheus: Prometheus | undefined;
  try {
    prometheus = await startPrometheus({ target: `127.0.0.1:${port}`, ruleFile });
    const client = await openRestClient(system);
    // A series that appears with a value has no increase. So there is more of everything once it was scraped.
    await order(client);
    await untilCounted(prometheus, 1);
    await order(client);
    await untilCounted(prometheus, 2);
    return await runAll(prometheus);
  } finally {
    await prometheus?.stop();
    await system.stop();
  }
}

/** Orders of each kind, one after the other. */
async function order(client: RestClient): Promise<void> {
  const product = await client.product({ stock: 10 });
  const soldOut = await client.product({ stock: 0 });
  for (const [what, card] of [
    [product, "pm_test_approved"],
    [product, "pm_test_declined"],
    [soldOut, "pm_test_approved"],
  ] as const) {
    const { token } = await client.customer();
    const { id } = await client.order(token, what, { card });
    const { status } = await client.settled(token, id);
    if (status !== "CONFIRMED") continue;
    await client.post(`/api/orders/${id}:ship`, { token: client.adminToken });
    await client.settled(token, id);
  }
}

/** Waits until Prometheus has scraped so many confirmed orders twice. */
async function untilCounted(prometheus: Prometheus, confirmed: number): Promise<void> {
  const counted = `rialto_checkout_duration_seconds_count{outcome="CONFIRMED"} >= ${confirmed}`;
  const twice = `count_over_time((${counted})[1m:1s]) >= 3`;
  for (const until = Date.now() + scrapedMsMax; (await prometheus.query(twice)).length === 0; await sleep(250))
    if (Date.now() > until) throw new Error(`Prometheus has not scraped ${confirmed} confirmed orders`);
}

async function runAll(prometheus: Prometheus) {
  const alerts = deployedAlerts();
  const ofAlerts = alerts.map(({ name, expr }): DeployedQuery => ({ place: `alert ${name}`, expr, hasValue: false }));
  const metrics = [...new Set(alerts.flatMap(({ expr }) => metricsIn(expr)))];
  const ofMetrics = metrics.map((expr): DeployedQuery => ({ place: "a metric of an alert", expr, hasValue: true }));
  const queries = [...dashboardNames.flatMap(queriesOf), ...ofAlerts, ...ofMetrics];
  const faults: string[] = [];
  let series = 0;
  for (const { place, expr, hasValue } of queries) {
    try {
      const values = (await prometheus.query(expr)).filter(({ value }) => Number.isFinite(value));
      series += values.length;
      if (hasValue && values.length === 0) faults.push(`${place}: ${expr} has no value`);
    } catch (error) {
      faults.push(`${place}: ${expr} fails: ${error}`);
    }
  }
  // The choice of the dashboard of services.
  const services = await prometheus.labelValues("service", "rialto_ready");
  if (!services.includes("order")) faults.push(`the services to choose are ${JSON.stringify(services)}`);
  for (const { name, state, health, lastError } of await prometheus.alerts()) {
    if (health === "err") faults.push(`alert ${name} cannot be evaluated: ${lastError}`);
    if (state === "firing") faults.push(`alert ${name} fires in a healthy system`);
  }
  return { queries: queries.length + 1, series, faults };
}
