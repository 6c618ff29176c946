import { setTimeout as sleep } from "node:timers/promises";
import { type ClientRecord, emptyRecord } from "./client-record.ts";
import type { FaultInjector } from "./faults.ts";
import { type Answer, createGatewayClient, type GatewayClient, type Request } from "./gateway-client.ts";
import { placeRequest, runScenario } from "./order-scenario.ts";
import { customerCount, type OrderPlan, planDeliveries, planOrder, productCount } from "./seed/order-plan.ts";
import { createRandom, type Random } from "./seed/random.ts";
import type { System } from "./system.ts";

/** Concurrent scenarios. More would only wait for the same few cores. */
const scenariosMax = 96;

/** Creates an admin session, products with their first stock, and customers with accounts. Runs before any fault. */
export async function createFixture(system: System, seed: number): Promise<Fixture> {
  const record = emptyRecord();
  const random = createRandom(seed, "shop");
  const admin = createGatewayClient({ url: system.url, account: system.admin });
  for (let n = 0; n < productCount; n += 1) {
    const product = await requireOk(admin, random, {
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
    record.products.push(product.body.id);
  }
  const customers: GatewayClient[] = [];
  for (let n = 0; n < customerCount; n += 1) {
    const account = { email: `customer-${n + 1}@chaos.test`, password: "a password of some length" };
    const anybody = createGatewayClient({ url: system.url, account: undefined });
    const user = await requireOk(anybody, random, {
      method: "POST",
      path: "/api/users",
      key: random.uuid(),
      body: { ...account, name: `Customer ${n + 1}` },
    });
    record.customers.set(user.body.id, { email: account.email });
    customers.push(createGatewayClient({ url: system.url, account }));
  }
  return { record, admin, customers };
}

export interface Fixture {
  readonly record: ClientRecord;
  readonly admin: GatewayClient;
  readonly customers: readonly GatewayClient[];
}

/** Runs the scenarios of all orders of the seed at a rate. Resolves when the last one has ended. */
export async function runCustomers(
  fixture: Fixture,
  o: {
    readonly seed: number;
    readonly orders: number;
    /** Orders started per second, on average. */
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
      if (delivery !== undefined) follow(deliver(fixture, delivery.each, createRandom(o.seed, `delivery ${n}`)));
    }
    const plan = planOrder(o.seed, n);
    follow(runScenario(plan, { customer: customerOf(fixture, plan), admin: fixture.admin }, fixture.record));
    o.faults.begun(n + 1);
    await sleep(random.int(0, 2_000 / o.rate));
    if (underWay.size >= scenariosMax) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0];
}

/** Repeats the requests of some orders with their keys. Returns how many. */
export async function replay(
  { record, ...fixture }: Fixture,
  o: { readonly seed: number; readonly orders: number; readonly count: number },
): Promise<number> {
  const random = createRandom(o.seed, "replays");
  const idOf = new Map([...record.orders].map(([id, { key }]) => [key, id]));
  for (let n = 0; n < o.count; n += 1) {
    const plan = planOrder(o.seed, random.int(0, o.orders - 1));
    const known = idOf.get(plan.key);
    if (known === undefined) continue;
    const answer = await customerOf({ record, ...fixture }, plan).ask(placeRequest(plan, record), random);
    if (answer.body?.id !== known)
      record.contradictions.push({
        order: known,
        message: `its key was answered with ${answer.body?.id ?? answer.status}`,
      });
  }
  return o.count;
}

function customerOf({ customers }: Fixture, plan: OrderPlan): GatewayClient {
  const customer = customers[plan.customer];
  if (customer === undefined) throw new Error(`there is no customer ${plan.customer}`);
  return customer;
}

async function deliver({ admin, record }: Fixture, each: number, random: Random): Promise<void> {
  for (const id of record.products) {
    const path = `/api/products/${id}/stock:adjust`;
    await requireOk(admin, random, {
      method: "POST",
      path,
      key: random.uuid(),
      body: { delta: each, reason: "delivery" },
    });
    record.received.set(id, (record.received.get(id) ?? 0) + each);
  }
}

async function requireOk(client: GatewayClient, random: Random, request: Request): Promise<Answer> {
  const answer = await client.ask(request, random);
  if (answer.status !== 200) throw new Error(`${request.path} was refused: ${JSON.stringify(answer.body)}`);
  return answer;
}
