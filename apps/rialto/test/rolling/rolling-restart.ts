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
  /** The pause of a customer between two calls. */
  readonly pauseMs: number;
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
  readonly perSecond: number;
}

const stock = 1_000_000;

/**
 * Restarts every process of two replicas of each service and two gateways, one after the other, while customers place
 * orders through a balancer of connections, each over one connection that it keeps until it is told to leave.
 */
export async function restartRolling(o: RollingOptions): Promise<RollingResult> {
  const system = await twoOfEach({ RIALTO_DRAIN_SECONDS: String(o.drainSeconds), RIALTO_ARGON2_COST: "test" });
  const balancer = await startBalancer(system.gatewayPorts);
  const kept: KeptConnection[] = [];
  try {
    const client = await openRestClient(system);
    const product = await client.product({ stock });
    const failed: string[] = [];
    const accepted: string[] = [];
    let calls = 0;
    let isOver = false;
    const order = async (index: number) => {
      const { token } = await client.customer();
      const connection = index % 2 === 0 ? keepHttp1(balancer.port) : keepHttp2(balancer.port);
      kept.push(connection);
      while (!isOver) {
        calls += 1;
        const answer = await connection.send(orderOf(product, token)).catch((error: unknown) => String(error));
        if (typeof answer !== "string" && answer.status === 200) accepted.push(answer.body.id);
        else failed.push(`${connection.version}: ${typeof answer === "string" ? answer : JSON.stringify(answer)}`);
        await sleep(o.pauseMs * (0.5 + Math.random()));
      }
    };
    const began = performance.now();
    const customers = Array.from({ length: o.customers }, (_, index) => order(index));
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
    const perSecond = Math.round((calls / (performance.now() - began)) * 1_000);
    const confirmed = await untilConfirmed(client, accepted);
    const found = await countIn(system.databaseUrl, product);
    return { balancer: balancer.kind, calls, failed, exits, accepted: accepted.length, confirmed, perSecond, ...found };
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
