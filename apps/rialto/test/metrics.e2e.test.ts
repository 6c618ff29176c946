import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { freePort } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSeries, type Series, sumOf } from "./metric-series.ts";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

const operate = readFileSync(new URL("../../../docs/operate.md", import.meta.url), "utf8");

/** Series of all services in one process, after every kind of thing has happened once: about half of it. */
const seriesMax = 3_000;

let topology: Topology;
let client: RestClient;
let adminUrl: string;

beforeAll(async () => {
  const port = await freePort();
  adminUrl = `http://127.0.0.1:${port}/metrics`;
  topology = await oneProcess("postgres", { RIALTO_ADMIN_PORT: String(port), RIALTO_ARGON2_COST: "test" });
  client = await openRestClient(topology);
}, 180_000);

afterAll(async () => {
  await topology?.stop();
});

const read = () => readSeries(adminUrl);

async function placeOrders(count: number): Promise<void> {
  const product = await client.product({ stock: count });
  for (let n = 0; n < count; n += 1) {
    const { token } = await client.customer();
    const { id } = await client.order(token, product);
    await client.settled(token, id);
  }
}

describe("the metrics of a running shop", () => {
  it("count calls, events, transitions of orders and payments, and how checkouts end", async () => {
    await placeOrders(2);
    const soldOut = await client.product({ stock: 0 });
    const { token } = await client.customer();
    const { id } = await client.order(token, soldOut);
    expect(await client.settled(token, id)).toMatchObject({ status: "REJECTED" });
    const declined = await client.order(token, await client.product({ stock: 1 }), { card: "pm_test_declined" });
    expect(await client.settled(token, declined.id)).toMatchObject({ status: "REJECTED" });
    let series = await read();
    const counted = (name: string, labels: Readonly<Record<string, string>>) => sumOf(series, name, labels);
    const counts = () => ({
      requests: counted("http_server_request_duration_seconds_count", {
        service: "gateway",
        http_route: "/api/orders",
        http_request_method: "POST",
        http_response_status_code: "200",
      }),
      calls: counted("rpc_server_call_duration_seconds_count", {
        service: "order",
        rpc_method: "rialto.order.v1.OrderService/CreateOrder",
        rpc_response_status_code: "ok",
      }),
      placed: counted("rialto_events_published_total", { topic: "order.placed" }),
      confirmed: counted("rialto_events_published_total", { topic: "order.confirmed" }),
      authorized: counted("rialto_events_published_total", { topic: "payment.authorized" }),
      cardsApproved: counted("rialto_payment_operations_total", { operation: "AUTHORIZE", outcome: "APPROVED" }),
      cardsDeclined: counted("rialto_payment_operations_total", { operation: "AUTHORIZE", outcome: "DECLINED" }),
      stockRefused: counted("rialto_stock_refused_total", { reason: "OUT_OF_STOCK" }),
      checkoutsConfirmed: counted("rialto_checkout_duration_seconds_count", { outcome: "CONFIRMED" }),
      checkoutsOutOfStock: counted("rialto_checkout_duration_seconds_count", { outcome: "OUT_OF_STOCK" }),
      checkoutsDeclined: counted("rialto_checkout_duration_seconds_count", { outcome: "PAYMENT_DECLINED" }),
      ready: counted("rialto_ready", {}),
      dead: counted("rialto_dead_letters", {}),
      attention: counted("rialto_attention", {}),
      shed: counted("rialto_orders_shed_total", {}) + counted("rialto_requests_shed_total", {}),
    });
    // Relays take the last events from the outbox after the order is at rest.
    const readAgain = async () => {
      series = await read();
      return counts();
    };
    await expect.poll(readAgain).toEqual({
      requests: 4,
      calls: 4,
      placed: 4,
      confirmed: 2,
      authorized: 2,
      cardsApproved: 2,
      cardsDeclined: 1,
      stockRefused: 1,
      checkoutsConfirmed: 2,
      checkoutsOutOfStock: 1,
      checkoutsDeclined: 1,
      ready: 6,
      dead: 0,
      attention: 0,
      shed: 0,
    });
    // Each order is placed; three have their stock reserved, an event that may come before the next step is stored.
    const firstAttempts = counted("rialto_events_delay_seconds_count", { subscription: "checkout" });
    expect(firstAttempts).toBeGreaterThanOrEqual(4);
    expect(firstAttempts).toBeLessThanOrEqual(7);
    expect(counted("db_client_connection_max", { db_client_connection_pool_name: "order" })).toBe(10);
    const measured = new Set(series.map(({ name, labels }) => `${name} of ${labels.service}`));
    expect(
      [
        "rialto_orders_unfinished of order",
        "rialto_orders_waiting of order",
        "rialto_orders_waiting_oldest_age_seconds of order",
        "rialto_orders_resumed_total of order",
        "rialto_attention of order",
        "rialto_attention of payment",
        "db_client_connection_count of product",
        "db_client_connection_pending_requests of user",
      ].filter((name) => !measured.has(name)),
    ).toEqual([]);
    expect(counted("rialto_events_handled_total", { subscription: "checkout", outcome: "processed" })).toBeGreaterThan(
      2,
    );
    expect(series.filter(({ name }) => name === "rialto_outbox_lag").length).toBeGreaterThan(3);
    expect(series.filter(({ name }) => name === "rialto_queue_depth").length).toBeGreaterThan(3);
  });

  it("have no id of anybody or anything in a label, and no more series for more orders of more customers", async () => {
    const namesOf = (all: readonly Series[]) =>
      new Set(all.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`));
    await placeOrders(3);
    const before = namesOf(await read());
    await placeOrders(5);
    for (const path of [randomUUID(), `api/orders/${randomUUID()}`, "api/products?pageSize=1"])
      await fetch(`${topology.url}/${path}`, { method: path.length > 40 ? "GET" : "PURGE" }).catch(() => undefined);
    const after = await read();
    const fresh = [...namesOf(after)].filter((one) => !before.has(one));
    // A code or a status may be met for the first time; nothing grows with the orders.
    expect(fresh.filter((one) => !/duration_seconds/.test(one))).toEqual([]);
    expect(after.length).toBeLessThan(seriesMax);
    const values = new Set(after.flatMap(({ labels }) => Object.values(labels)));
    expect([...values].filter((value) => /[0-9a-f]{8}-[0-9a-f]{4}|@|[0-9a-f]{24}/i.test(value))).toEqual([]);
  });

  it("are each explained in docs/operate.md", async () => {
    const text = await (await fetch(adminUrl)).text();
    const names = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !operate.includes(`\`${name}\``))).toEqual([]);
  });
});
