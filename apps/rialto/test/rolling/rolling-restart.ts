import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { openRestClient, type RestClient } from "../rest-client.ts";
import { type Exit, twoOfEach } from "../topology.ts";
import { startBalancer } from "./balancer.ts";
import { type KeptConnection, keepHttp1, keepHttp2 } from "./connection.ts";

export interface RollingOptions {
  readonly drainSeconds: number;
  /** Customers who place one order after the other. Half of them speak HTTP/2. */
  readonly customers: number;
  /** Orders of all customers together in a second; half of the peak, which is measured first, where it is left out. */
  readonly perSecond?: number | undefined;
  /** How long orders come in at least; also after the last restart. */
  readonly seconds: number;
  /** Gets a line for each step. */
  readonly report: (line: string) => void;
}

/** What a run showed. In a good one `failed` is empty, every exit has the code 0, and each count is the orders'. */
export interface RollingResult {
  readonly balancer: string;
  readonly calls: number;
  readonly failed: readonly string[];
  readonly exits: readonly (Exit & { readonly name: string })[];
  /** The orders that were answered with 200. */
  readonly accepted: number;
  /** Those that the order service has, of all customers. */
  readonly stored: number;
  readonly confirmed: number;
  /** Approved authorizations of the card network, and the orders that they are for. */
  readonly authorizations: number;
  readonly authorizedOrders: number;
  /** Pieces that are reserved; each order has one. */
  readonly reserved: number;
  /** What the customers reached when none of them made a pause, before the first restart; undefined where not asked. */
  readonly peakPerSecond: number | undefined;
  readonly perSecond: number;
}

const stock = 1_000_000;
const peakWarmUpMs = 5_000;
const peakMs = 10_000;

/**
 * Restarts every process of two replicas of each service and two gateways, one after the other, while customers place
 * orders through a balancer of connections, each over one connection that it keeps until it is told to leave.
 */
export async function restartRolling(o: RollingOptions): Promise<RollingResult> {
  const system = await twoOfEach({
    RIALTO_DRAIN_SECONDS: String(o.drainSeconds),
    RIALTO_ARGON2_COST: "test",
    // A customer orders one product thousands of times.
    RIALTO_UNSHIPPED_QUANTITY_MAX: "0",
  });
  const balancer = await startBalancer(system.gatewayPorts);
  const kept: KeptConnection[] = [];
  try {
    const client = await openRestClient(system);
    const product = await client.product({ stock });
    const failed: string[] = [];
    const accepted: string[] = [];
    let calls = 0;
    let isOver = false;
    /** Customers wait for it before each order. */
    let gate: Promise<unknown> = Promise.resolve();
    /** Between the beginnings of two orders of one customer; 0 for no pause. */
    let cycleMs = o.perSecond === undefined ? 0 : (o.customers / o.perSecond) * 1_000;
    const order = async (index: number) => {
      const { token } = await client.customer();
      const connection = index % 2 === 0 ? keepHttp1(balancer.port) : keepHttp2(balancer.port);
      kept.push(connection);
      while (!isOver) {
        await gate;
        const due = performance.now() + cycleMs * (0.5 + Math.random());
        calls += 1;
        const answer = await connection.send(orderOf(product, token)).catch((error: unknown) => String(error));
        if (typeof answer !== "string" && answer.status === 200) accepted.push(answer.body.id);
        else failed.push(`${connection.version}: ${typeof answer === "string" ? answer : JSON.stringify(answer)}`);
        await sleep(Math.max(0, due - performance.now()));
      }
    };
    const customers = Array.from({ length: o.customers }, (_, index) => order(index));
    let peakPerSecond: number | undefined;
    if (o.perSecond === undefined) {
      await sleep(peakWarmUpMs);
      const [from, before] = [performance.now(), accepted.length];
      await sleep(peakMs);
      peakPerSecond = Math.round(((accepted.length - before) / (performance.now() - from)) * 1_000);
      cycleMs = ((2 * o.customers) / peakPerSecond) * 1_000;
      // What the peak left is confirmed first. Orders may be shed at it, which is no failure of a restart.
      gate = untilConfirmed(client, accepted);
      await gate;
      o.report(`the peak is ${peakPerSecond} orders a second, ${failed.length} shed; from now on half of it`);
      failed.length = 0;
    }
    const began = performance.now();
    const callsBefore = calls;
    const exits: (Exit & { readonly name: string })[] = [];
    for (const { name, port, restart } of system.processes) {
      const exit = await restart();
      exits.push({ name, ...exit });
      o.report(`${name} at ${port} restarted; ${calls} calls so far, ${failed.length} of them failed`);
    }
    const leftMs = o.seconds * 1_000 - (performance.now() - began);
    if (leftMs > 0) await sleep(leftMs);
    isOver = true;
    await Promise.all(customers);
    const perSecond = Math.round(((calls - callsBefore) / (performance.now() - began)) * 1_000);
    const confirmed = await untilConfirmed(client, accepted);
    const found = await countIn(system.databaseUrl, product);
    const counts = { calls, accepted: accepted.length, confirmed, peakPerSecond, perSecond };
    return { balancer: balancer.kind, failed, exits, ...counts, ...found };
  } finally {
    for (const connection of kept) connection.close();
    await balancer.close();
    await system.stop();
  }
}

function orderOf(product: string, token: string) {
  return {
    method: "POST",
    path: "/api/orders",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${token}`,
      "idempotency-key": randomUUID(),
    },
    body: JSON.stringify({ items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
  };
}

/** Returns how many of the orders were confirmed: all, unless one ends otherwise. */
async function untilConfirmed(client: RestClient, ids: readonly string[]): Promise<number> {
  let confirmed = 0;
  for (const id of ids) {
    for (;;) {
      const { body } = await client.call("GET", `/api/orders/${id}`, { token: client.adminToken });
      if (body.status === "CONFIRMED") confirmed += 1;
      if (body.status !== "PENDING" && body.status !== "STOCK_RESERVED") break;
      await sleep(100);
    }
  }
  return confirmed;
}

async function countIn(databaseUrl: string, product: string) {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    const [row] = await sql<
      { stored: number; authorizations: number; authorizedOrders: number; reserved: number }[]
    >`select
        (select count(*)::int from "order".orders) as stored,
        (select count(*)::int from card_network.entry where kind = 'AUTHORIZE' and outcome = 'APPROVED') as authorizations,
        (select count(distinct order_reference)::int from card_network.entry
          where kind = 'AUTHORIZE' and outcome = 'APPROVED') as "authorizedOrders",
        (select reserved::int from product.stock where product_id = ${product}) as reserved`;
    if (row === undefined) throw new Error("the counts have no row");
    return row;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
