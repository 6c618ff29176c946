import { setTimeout as sleep } from "node:timers/promises";
import type { FaultInjector } from "./faults.ts";
import { type Answer, createGatewayClient, type GatewayClient, type Request } from "./gateway-client.ts";
import { followCourse, placeRequest } from "./order-course.ts";
import { customerCount, type OrderPlan, planDeliveries, planOrder, productCount } from "./seed/order-plan.ts";
import { createRandom, type Random } from "./seed/random.ts";
import type { System } from "./system.ts";
import { nothingTold, type Told } from "./told.ts";

/** Orders that are followed at a time. More would only wait for the same two or four cores. */
const coursesMax = 96;

/** Opens the shop: an admin, products with their first stock, and customers with accounts. Before any fault. */
export async function openShop(system: System, seed: number): Promise<Shop> {
  const told = nothingTold();
  const random = createRandom(seed, "shop");
  const admin = createGatewayClient({ url: system.url, account: system.admin });
  for (let n = 0; n < productCount; n += 1) {
    const product = await must(admin, random, {
      method: "POST",
      path: "/api/products",
      key: random.uuid(),
      body: {
        name: `Product ${n + 1}`,
        description: "",
        category: "chaos",
        price: { currencyCode: "EUR", minorUnits: String(random.int(100, 5_000)) },
        active: true,
      },
    });
    told.products.push(product.body.id);
  }
  const customers: GatewayClient[] = [];
  for (let n = 0; n < customerCount; n += 1) {
    const account = { email: `customer-${n + 1}@chaos.test`, password: "a password of some length" };
    const anybody = createGatewayClient({ url: system.url, account: undefined });
    const user = await must(anybody, random, {
      method: "POST",
      path: "/api/users",
      key: random.uuid(),
      body: { ...account, name: `Customer ${n + 1}` },
    });
    told.customers.set(user.body.id, { email: account.email });
    customers.push(createGatewayClient({ url: system.url, account }));
  }
  return { told, admin, customers };
}

export interface Shop {
  readonly told: Told;
  readonly admin: GatewayClient;
  readonly customers: readonly GatewayClient[];
}

/** Places and follows all orders of the seed, at a rate, and resolves when the last of them has lived its plan. */
export async function drive(
  shop: Shop,
  o: {
    readonly seed: number;
    readonly orders: number;
    /** Orders begun in a second, on average. */
    readonly rate: number;
    readonly faults: FaultInjector;
  },
): Promise<void> {
  const random = createRandom(o.seed, "arrivals");
  const deliveries = [...planDeliveries(o.orders)];
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const follow = (work: Promise<void>) => {
    const tracked: Promise<void> = work
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(tracked));
    underWay.add(tracked);
  };
  for (let n = 0; n < o.orders; n += 1) {
    while ((deliveries[0]?.afterOrders ?? o.orders) <= n) {
      const delivery = deliveries.shift();
      if (delivery !== undefined) follow(deliver(shop, delivery.each, createRandom(o.seed, `delivery ${n}`)));
    }
    const plan = planOrder(o.seed, n);
    follow(followCourse(plan, { customer: customerOf(shop, plan), admin: shop.admin }, shop.told));
    o.faults.begun(n + 1);
    await sleep(random.int(0, 2_000 / o.rate));
    if (underWay.size >= coursesMax) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0];
}

/** Asks once more for what was told before, by the keys of some of the orders. Answers how many it asked for. */
export async function replay(
  { told, ...shop }: Shop,
  o: { readonly seed: number; readonly orders: number; readonly count: number },
): Promise<number> {
  const random = createRandom(o.seed, "replays");
  const idOf = new Map([...told.orders].map(([id, { key }]) => [key, id]));
  for (let n = 0; n < o.count; n += 1) {
    const plan = planOrder(o.seed, random.int(0, o.orders - 1));
    const known = idOf.get(plan.key);
    if (known === undefined) continue;
    const answer = await customerOf({ told, ...shop }, plan).ask(placeRequest(plan, told), random);
    if (answer.body?.id !== known)
      told.contradictions.push({
        order: known,
        words: `its key was answered with ${answer.body?.id ?? answer.status}`,
      });
  }
  return o.count;
}

function customerOf({ customers }: Shop, plan: OrderPlan): GatewayClient {
  const customer = customers[plan.customer];
  if (customer === undefined) throw new Error(`there is no customer ${plan.customer}`);
  return customer;
}

async function deliver({ admin, told }: Shop, each: number, random: Random): Promise<void> {
  for (const id of told.products) {
    const path = `/api/products/${id}/stock:adjust`;
    await must(admin, random, { method: "POST", path, key: random.uuid(), body: { delta: each, reason: "delivery" } });
    told.received.set(id, (told.received.get(id) ?? 0) + each);
  }
}

async function must(client: GatewayClient, random: Random, request: Request): Promise<Answer> {
  const answer = await client.ask(request, random);
  if (answer.status !== 200) throw new Error(`${request.path} was refused: ${JSON.stringify(answer.body)}`);
  return answer;
}
