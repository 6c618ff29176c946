import { setTimeout as sleep } from "node:timers/promises";
import type { Shop, ShopLoad } from "../subjects/shop.ts";
import { httpLoad } from "./http-load.ts";
import { inFlight, keyMark, type Load, type LoadResult, type Plan, type PlannedRequest } from "./plan.ts";

const ordersRead = 100;
const settleMsMax = 300_000;
const settlePollMs = 20;

/** Reads one order after another, each by its customer. The orders are placed before, and are confirmed. */
export const orderByIdLoad: ShopLoad = async (shop, { folder, bench }) => {
  const [tokens, placed] = [await shop.tokens(), [] as { readonly id: string; readonly customer: number }[]];
  for (let index = 0; index < ordersRead; index += 1) {
    const customer = index % tokens.length;
    const request = orderRequest(shop, index, tokens[customer] ?? "");
    const response = await fetch(shop.url + request.path, {
      method: "POST",
      headers: { ...request.headers, "idempotency-key": `read-${index}` },
      body: request.body,
    });
    if (!response.ok) throw new Error(`an order was refused: ${response.status} ${await response.text()}`);
    // Every shop answers with its order.
    placed.push({ id: String(((await response.json()) as { id: unknown }).id), customer });
  }
  await settled(shop);
  return httpLoad({
    url: shop.url,
    folder,
    vegeta: bench.tools.vegeta,
    plan: async () => {
      const now = await shop.tokens();
      return placed.map(({ id, customer }) => ({
        method: "GET",
        path: `/api/orders/${id}`,
        headers: { authorization: `Bearer ${now[customer]}` },
      }));
    },
  });
};

/** Reads the first page of the catalog: 20 products. */
export const catalogLoad: ShopLoad = (shop, { folder, bench }) =>
  httpLoad({
    url: shop.url,
    folder,
    vegeta: bench.tools.vegeta,
    plan: () => [{ method: "GET", path: "/api/products?pageSize=20", headers: {} }],
  });

/** Places orders of two lines, each with a key. Before a round, what the last one left is confirmed. */
export const orderAcceptedLoad: ShopLoad = (shop, at) => {
  const load = ordersOf(shop, at);
  return { ...load, settle: () => settled(shop) };
};

/** Places orders of two lines, and waits until the last of them is confirmed: that is when an order counts. */
export const orderConfirmedLoad: ShopLoad = orderConfirmedLoadOn(inFlight);

/** The same on so many connections. */
export function orderConfirmedLoadOn(connections: number): ShopLoad {
  return (shop, at) => {
    const load = ordersOf(shop, at, connections);
    return {
      settle: () => settled(shop),
      async closed(seconds): Promise<LoadResult> {
        const start = performance.now();
        const before = await shop.orders();
        const accepted = await load.closed(seconds);
        await settled(shop);
        const confirmed = (await shop.orders()).confirmed - before.confirmed;
        return {
          ...accepted,
          operations: confirmed,
          failures: accepted.failures + Math.max(0, accepted.operations - confirmed),
          seconds: (performance.now() - start) / 1_000,
        };
      },
    };
  };
}

/**
 * Places orders on so many connections as fast as they are answered, beginning with a shop that has nothing to do.
 * Fails where the rows do not have what was answered.
 */
export function orderBurstLoad(connections: number): ShopLoad {
  return (shop, at) => {
    const load = ordersOf(shop, at, connections);
    return {
      settle: () => settled(shop),
      async closed(seconds) {
        const before = await storedBy(shop);
        const accepted = await load.closed(seconds);
        const stored = (await storedBy(shop)) - before;
        if (stored < accepted.operations || stored > accepted.operations + accepted.failures + connections)
          throw new Error(
            `${accepted.operations} orders were accepted, ${accepted.failures} not, ${stored} are stored`,
          );
        return accepted;
      },
    };
  };
}

async function storedBy(shop: Shop): Promise<number> {
  const { confirmed, pending } = await shop.orders();
  return confirmed + pending;
}

/** Places orders on so many connections in a closed loop, or in an open one. */
export function ordersOf(shop: Shop, { folder, bench }: Parameters<ShopLoad>[1], connections = inFlight): Load {
  return httpLoad({
    url: shop.url,
    folder,
    connections,
    vegeta: bench.tools.vegeta,
    plan: async (): Promise<Plan> => {
      const tokens = await shop.tokens();
      return shop.productIds.map((_, index) => orderRequest(shop, index, tokens[index % tokens.length] ?? ""));
    },
  });
}

/** An order of two lines. */
export function orderRequest({ productIds }: Pick<Shop, "productIds">, index: number, token: string) {
  const items = [0, 37].map((offset) => ({
    productId: productIds[(index + offset) % productIds.length],
    quantity: 1 + (index % 3),
  }));
  return {
    method: "POST",
    path: "/api/orders",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}`, "idempotency-key": keyMark },
    body: Buffer.from(JSON.stringify({ items, paymentMethod: "pm_test_approved" })),
  } as const satisfies PlannedRequest;
}

/** Waits until no order is pending. */
export async function settled(shop: Shop): Promise<void> {
  for (let waitedMs = 0; (await shop.orders()).pending > 0; waitedMs += settlePollMs) {
    if (waitedMs > settleMsMax) throw new Error(`orders are still pending after ${settleMsMax} ms`);
    await sleep(settlePollMs);
  }
}
