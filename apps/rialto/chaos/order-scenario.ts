import { setTimeout as sleep } from "node:timers/promises";
import type { ClientRecord, RecordedOrder } from "./client-record.ts";
import { type Answer, type GatewayClient, type Json, type Request, reasonIn } from "./gateway-client.ts";
import type { OrderPlan } from "./seed/order-plan.ts";

/** How long a scenario polls an order. The checker looks at the order later in any case. */
const interestMsMax = 60_000;
const lookMsMin = 400;
const lookMsMax = 2_500;

export interface People {
  readonly customer: GatewayClient;
  readonly admin: GatewayClient;
}

/** Runs the scenario of one order, from its first request to its last. */
export async function runScenario(plan: OrderPlan, people: People, record: ClientRecord): Promise<void> {
  const { random } = plan;
  const ask = async (client: GatewayClient, request: Request): Promise<Answer> => {
    const answer = await client.ask(request, random);
    record.sendings += answer.tries;
    if (answer.tries > 1) record.retried += 1;
    return answer;
  };
  const customer = (request: Request) => ask(people.customer, request);
  const admin = (request: Request) => ask(people.admin, request);

  const place = placeRequest(plan, record);
  const placed = await customer(place);
  if (placed.status !== 200) {
    record.refused.set(plan.key, reasonIn(placed));
    return;
  }
  const id: string = placed.body.id;
  const order: RecordedOrder = {
    key: plan.key,
    userId: placed.body.userId,
    cancelAccepted: false,
    shipAccepted: false,
    deliverAccepted: false,
    refundAccepted: 0n,
  };
  record.orders.set(id, order);

  const contradict = (message: string) => record.contradictions.push({ order: id, message });
  const change = (client: typeof admin, action: "cancel" | "ship" | "deliver") =>
    client({ method: "POST", path: `/api/orders/${id}:${action}`, key: random.uuid(), body: {} });
  const cancel = async (client: typeof admin) => {
    const answer = await change(client, "cancel");
    if (answer.status === 200) order.cancelAccepted = true;
    return answer;
  };
  const ship = async () => {
    const answer = await change(admin, "ship");
    if (answer.status === 200) order.shipAccepted = true;
    return answer;
  };

  if (plan.repeats) {
    const again = await customer(place);
    if (again.body?.id !== id)
      contradict(`its key was answered with ${JSON.stringify(again.body?.id ?? again.status)}`);
  }
  switch (plan.scenario) {
    case "LEAVE":
      return;
    case "CANCEL":
      await sleep(plan.cancelAfterMs);
      await cancel(customer);
      return;
    case "RACE": {
      const confirmed = await look(customer, id, isSettled);
      if (confirmed?.status !== "CONFIRMED") return;
      const [cancelled, shipped] = await Promise.all([cancel(customer), ship()]);
      if (cancelled.status === 200 && shipped.status === 200) contradict("both its cancel and its ship were accepted");
      return;
    }
    case "SHIP": {
      const confirmed = await look(customer, id, isSettled);
      if (confirmed?.status !== "CONFIRMED" || confirmed.attention) return;
      await ship();
      const shipped = await look(customer, id, (seen) => seen.status === "SHIPPED" || Boolean(seen.attention));
      if (shipped?.attention && plan.settles) await cancel(admin);
      if (shipped?.status !== "SHIPPED") return;
      if (plan.delivers) {
        const delivered = await change(admin, "deliver");
        if (delivered.status === 200) order.deliverAccepted = true;
      }
      if (plan.refundPercent > 0) await refund(plan, { id, admin, order, total: BigInt(shipped.total.minorUnits) });
    }
  }
}

async function refund(
  plan: OrderPlan,
  o: {
    readonly id: string;
    readonly admin: (request: Request) => Promise<Answer>;
    readonly order: RecordedOrder;
    readonly total: bigint;
  },
): Promise<void> {
  const found = await o.admin({ method: "GET", path: `/api/payments?orderId=${o.id}` });
  const payment: Json = found.body?.payments?.[0];
  if (payment === undefined) return;
  const minorUnits = (o.total * BigInt(plan.refundPercent)) / 100n;
  const answer = await o.admin({
    method: "POST",
    path: `/api/payments/${payment.id}:refund`,
    key: plan.random.uuid(),
    body: { amount: { currencyCode: "EUR", minorUnits: String(minorUnits) }, reason: "returned" },
  });
  if (answer.status === 200) o.order.refundAccepted += minorUnits;
}

/** Polls the order until `enough` holds; undefined after `interestMsMax`. */
async function look(
  customer: (request: Request) => Promise<Answer>,
  id: string,
  enough: (order: Json) => boolean,
): Promise<Json | undefined> {
  const until = Date.now() + interestMsMax;
  for (let waitMs = lookMsMin; Date.now() < until; waitMs = Math.min(lookMsMax, waitMs * 1.5)) {
    await sleep(waitMs);
    const { status, body } = await customer({ method: "GET", path: `/api/orders/${id}` });
    if (status === 200 && enough(body)) return body;
  }
  return undefined;
}

function isSettled(order: Json): boolean {
  return !["PENDING", "STOCK_RESERVED"].includes(order.status) || Boolean(order.attention);
}

/** The request that places the order. The address contains the key, so that an order can be matched to its key. */
export function placeRequest(plan: OrderPlan, { products }: ClientRecord): Request {
  const body = {
    items: plan.items.map(({ product, quantity }) => ({ productId: products[product], quantity })),
    paymentMethod: plan.card,
    shippingAddress: { name: plan.key, lines: ["1 Harness Street"], city: "Chaos", postalCode: "1", countryCode: "DE" },
  };
  return { method: "POST", path: "/api/orders", key: plan.key, body };
}
