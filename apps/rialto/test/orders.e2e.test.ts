import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "@rialto/database";
import { rebuildOrders } from "@rialto/order/rebuild";
import { redisForTests } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ledger, openLedger } from "./ledger.ts";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, sixProcesses, type Topology } from "./topology.ts";

const probe = await redisForTests();
await probe?.close();

const topologies = [
  { name: "one process with jobs on Postgres", start: () => oneProcess("postgres"), needsRedis: false },
  { name: "one process with Redis", start: () => oneProcess("redis"), needsRedis: true },
  { name: "six processes with Redis and HTTP between them", start: sixProcesses, needsRedis: true },
].filter(({ name, needsRedis }) => {
  const runs = !needsRedis || probe !== undefined;
  if (!runs) process.stderr.write(`Left out: an order in ${name} (there is no redis-server)\n`);
  return runs;
});

describe.each(topologies)("an order in $name", ({ start }) => {
  let topology: Topology;
  let client: RestClient;
  let ledger: Ledger;

  beforeAll(async () => {
    topology = await start();
    client = await openRestClient(topology);
    ledger = openLedger(topology.databaseUrl);
  });

  afterAll(async () => {
    await ledger?.close();
    await topology?.stop();
  });

  it("becomes CONFIRMED, and a mail tells the customer", async () => {
    const { token, email } = await client.customer();
    const product = await client.product({ stock: 5, name: "Pot & <lid>" });
    const placed = await client.order(token, product, { quantity: 2 });
    expect(placed).toMatchObject({ status: "PENDING", total: { currencyCode: "EUR", minorUnits: "2500" }, version: 1 });
    expect(placed.items).toEqual([
      {
        productId: product,
        name: "Pot & <lid>",
        unitPrice: { currencyCode: "EUR", minorUnits: "1250" },
        quantity: 2,
        total: { currencyCode: "EUR", minorUnits: "2500" },
      },
    ]);
    const settled = await client.settled(token, placed.id);
    expect(settled.status).toBe("CONFIRMED");
    expect(await client.stock(product)).toEqual({ onHand: 5, reserved: 2, available: 3 });
    const mail = await mailTo(topology, email, placed.id);
    expect(mail).toContain("text/plain");
    expect(mail).toContain("text/html");
  });

  it("is REJECTED when the card is declined, and the stock is back", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 3 });
    const placed = await client.order(token, product, { card: "pm_test_declined" });
    const settled = await client.settled(token, placed.id);
    expect(settled).toMatchObject({ status: "REJECTED", rejectionReason: "PAYMENT_DECLINED" });
    expect(await client.stock(product)).toEqual({ onHand: 3, reserved: 0, available: 3 });
    expect(await client.payments(placed.id)).toMatchObject([{ status: "DECLINED", declineCode: "card_declined" }]);
    expect(await ledger.held(placed.id)).toBe(0n);
  });

  it("is REJECTED when less is in stock than was ordered", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 1 });
    const placed = await client.order(token, product, { quantity: 2 });
    const settled = await client.settled(token, placed.id);
    expect(settled).toMatchObject({ status: "REJECTED", rejectionReason: "OUT_OF_STOCK" });
    expect(await client.stock(product)).toEqual({ onHand: 1, reserved: 0, available: 1 });
    expect(await ledger.effects(placed.id)).toEqual([]);
  });

  it("is REJECTED when the account would have more of a product ordered and not shipped than one may have", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 2_000 });
    const most = await client.order(token, product, { quantity: 1_000 });
    expect((await client.settled(token, most.id)).status).toBe("CONFIRMED");
    const more = await client.order(token, product);
    expect(await client.settled(token, more.id)).toMatchObject({
      status: "REJECTED",
      rejectionReason: "QUANTITY_LIMIT",
    });
    expect(await client.stock(product)).toEqual({ onHand: 2_000, reserved: 1_000, available: 1_000 });
    expect(await ledger.effects(more.id)).toEqual([]);
    await client.post(`/api/orders/${most.id}:cancel`, { token });
    await client.settled(token, most.id);
    const later = await client.order(token, product);
    expect((await client.settled(token, later.id)).status).toBe("CONFIRMED");
  });

  it("is not placed at another total than its customer was shown", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 1 });
    const at = (minorUnits: string) =>
      client.post("/api/orders", {
        token,
        body: {
          items: [{ productId: product, quantity: 1 }],
          paymentMethod: "pm_test_approved",
          expectedTotal: { currencyCode: "EUR", minorUnits },
        },
      });
    const refused = await at("999");
    expect(refused.status).toBe(400);
    expect(refused.body.details).toMatchObject([
      { reason: "TOTAL_CHANGED", metadata: { total_currency_code: "EUR", total_minor_units: "1250" } },
      { fieldViolations: [{ field: "expected_total" }] },
    ]);
    expect((await client.call("GET", "/api/orders", { token })).body.orders).toEqual([]);
    expect((await at("1250")).status).toBe(200);
  });

  it("can be cancelled before it is shipped: money and stock go back", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 4 });
    const placed = await client.order(token, product);
    await client.settled(token, placed.id);
    const asked = await client.post(`/api/orders/${placed.id}:cancel`, { token, body: { reason: "too late" } });
    expect(asked).toMatchObject({ status: 200, body: { id: placed.id } });
    expect((await client.settled(token, placed.id)).status).toBe("CANCELLED");
    expect(await client.stock(product)).toEqual({ onHand: 4, reserved: 0, available: 4 });
    expect(await client.payments(placed.id)).toMatchObject([{ status: "VOIDED" }]);
    expect(await ledger.held(placed.id)).toBe(0n);
  });

  it("takes the money when it is shipped, and cannot be cancelled after", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 4 });
    const placed = await client.order(token, product, { quantity: 3 });
    await client.settled(token, placed.id);
    const early = await client.post(`/api/orders/${placed.id}:deliver`, { token: client.adminToken, body: {} });
    expect(early.body.details).toMatchObject([{ reason: "ORDER_NOT_SHIPPED" }]);
    expect(await client.post(`/api/orders/${placed.id}:ship`, { token, body: {} })).toMatchObject({
      status: 403,
    });
    await client.post(`/api/orders/${placed.id}:ship`, { token: client.adminToken, body: {} });
    const shipped = await client.settled(token, placed.id);
    expect(shipped).toMatchObject({ status: "SHIPPED", captured: { currencyCode: "EUR", minorUnits: "3750" } });
    expect(await client.stock(product)).toEqual({ onHand: 1, reserved: 0, available: 1 });
    expect(await client.payments(placed.id)).toMatchObject([{ status: "CAPTURED", captured: { minorUnits: "3750" } }]);
    expect(await ledger.taken(placed.id)).toBe(3750n);
    const late = await client.post(`/api/orders/${placed.id}:cancel`, { token, body: {} });
    expect(late.status).toBe(400);
    expect(late.body.details).toMatchObject([{ reason: "ORDER_SHIPPED" }]);
  });

  it("shows what was given back after a refund of a part", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 1 });
    const placed = await client.order(token, product);
    await client.settled(token, placed.id);
    await client.post(`/api/orders/${placed.id}:ship`, { token: client.adminToken, body: {} });
    await client.settled(token, placed.id);
    const [payment] = await client.payments(placed.id);
    const refund = { amount: { currencyCode: "EUR", minorUnits: "250" }, reason: "scratched" };
    const key = randomUUID();
    const path = `/api/payments/${payment.id}:refund`;
    const keyless = await client.call("POST", path, { token: client.adminToken, body: refund });
    expect(keyless).toMatchObject({ status: 400, body: { message: expect.stringContaining("Idempotency-Key") } });
    expect(keyless.body.details).toMatchObject([
      { reason: "REFUND_KEY_REQUIRED" },
      { fieldViolations: [{ field: "amount" }] },
    ]);
    const first = await client.call("POST", path, { token: client.adminToken, body: refund, key });
    expect(first).toMatchObject({ status: 200, body: { status: "CAPTURED", refunded: { minorUnits: "250" } } });
    expect(await client.call("POST", path, { token: client.adminToken, body: refund, key })).toEqual(first);
    expect(await ledger.taken(placed.id)).toBe(1000n);
    await expect
      .poll(async () => (await client.call("GET", `/api/orders/${placed.id}`, { token })).body.refunded.minorUnits)
      .toBe("250");
  });

  it("is placed once when the same Idempotency-Key comes twice, and another request with it is refused", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 10 });
    const key = randomUUID();
    const body = { items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" };
    const [first, second] = await Promise.all([
      client.call("POST", "/api/orders", { token, body, key }),
      client.call("POST", "/api/orders", { token, body, key }),
    ]);
    const third = await client.call("POST", "/api/orders", { token, body, key });
    expect(first.status).toBe(200);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect((await client.call("GET", "/api/orders", { token })).body.orders).toHaveLength(1);
    const other = { ...body, items: [{ productId: product, quantity: 2 }] };
    const refused = await client.call("POST", "/api/orders", { token, body: other, key });
    expect(refused.status).toBe(400);
    expect(refused.body.details).toMatchObject([{ reason: "IDEMPOTENCY_KEY_REUSED" }]);
  });

  it.each(["pm_test_unknown_outcome", "pm_test_slow", "pm_test_unreachable"])(
    "is charged once although the card network does not answer at first (%s)",
    async (card) => {
      const { token } = await client.customer();
      const product = await client.product({ stock: 1 });
      const placed = await client.order(token, product, { card });
      expect((await client.settled(token, placed.id)).status).toBe("CONFIRMED");
      const effects = await ledger.effects(placed.id);
      expect(effects.filter((effect) => effect.kind === "AUTHORIZE" && effect.approved)).toHaveLength(1);
      expect(await ledger.held(placed.id)).toBe(1250n);
    },
    120_000,
  );

  it("of another customer is NOT_FOUND", async () => {
    const [ada, bob] = await Promise.all([client.customer(), client.customer()]);
    const product = await client.product({ stock: 1 });
    const placed = await client.order(ada.token, product);
    for (const [method, path] of [
      ["GET", ""],
      ["POST", ":cancel"],
      ["GET", "/events"],
    ] as const) {
      const [body, key] = method === "POST" ? [{}, randomUUID()] : [];
      const answer = await client.call(method, `/api/orders/${placed.id}${path}`, {
        token: bob.token,
        ...(key && { body, key }),
      });
      expect(answer.status).toBe(404);
    }
    await expect(client.settled(bob.token, placed.id)).rejects.toThrow("ORDER_NOT_FOUND");
    expect((await client.call("GET", `/api/orders/${placed.id}`)).status).toBe(401);
    await client.settled(ada.token, placed.id);
  });

  it("is refused with the field named when it cannot be placed as it is", async () => {
    const { token } = await client.customer();
    const [euro, dollar, off] = await Promise.all([
      client.product({ stock: 1 }),
      client.product({ stock: 1, currency: "USD" }),
      client.product({ stock: 1, active: false }),
    ]);
    const fieldOf = async (items: unknown) => {
      const body = { items, paymentMethod: "pm_test_approved" };
      const answer = await client.post("/api/orders", { token, body });
      expect(answer.status).toBe(400);
      return answer.body.details.flatMap(
        (detail: { fieldViolations?: { field: string }[] }) => detail.fieldViolations?.map(({ field }) => field) ?? [],
      );
    };
    const one = (productId: string, quantity = 1) => ({ productId, quantity });
    expect(await fieldOf([one(euro), one(dollar)])).toEqual(["items[1].product_id"]);
    expect(await fieldOf([one(euro), one(off)])).toEqual(["items[1].product_id"]);
    expect(await fieldOf([one(randomUUID())])).toEqual(["items[0].product_id"]);
    expect(await fieldOf([one(euro, 0)])).toEqual(["items[0].quantity"]);
    expect(await fieldOf([one(euro, 1001)])).toEqual(["items[0].quantity"]);
  });

  it("tells its history: what happened, who did it, and why", async () => {
    const { token, id } = await client.customer();
    const product = await client.product({ stock: 1 });
    const placed = await client.order(token, product);
    await client.settled(token, placed.id);
    await client.post(`/api/orders/${placed.id}:cancel`, { token, body: { reason: "changed my mind" } });
    await client.settled(token, placed.id);
    const { events } = (await client.call("GET", `/api/orders/${placed.id}/events`, { token })).body;
    expect(events.map((event: { kind: string }) => event.kind)).toEqual([
      "PLACED",
      "STOCK_RESERVED",
      "CONFIRMED",
      "CANCEL_REQUESTED",
      "CANCELLED",
    ]);
    expect(events[0]).toMatchObject({ actor: `customer:${id}`, version: 1 });
    expect(events[3]).toMatchObject({ actor: `customer:${id}`, reason: "changed my mind" });
    expect(events[4]).toMatchObject({ actor: "service:order" });
  });

  it("never oversells: of 200 at once for 50 in stock exactly 50 are confirmed and 150 rejected", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 50 });
    const placed = await Promise.all(Array.from({ length: 200 }, () => client.order(token, product)));
    const settled = await Promise.all(placed.map(({ id }) => client.settled(token, id)));
    const confirmed = settled.filter(({ status }) => status === "CONFIRMED");
    const rejected = settled.filter(({ rejectionReason }) => rejectionReason === "OUT_OF_STOCK");
    expect([confirmed.length, rejected.length]).toEqual([50, 150]);
    expect(await client.stock(product)).toEqual({ onHand: 50, reserved: 50, available: 0 });
    expect(await ledger.count("AUTHORIZE", settled)).toBe(50);

    for (const { id } of confirmed) {
      const asked = await client.post(`/api/orders/${id}:ship`, { token: client.adminToken, body: {} });
      expect(asked.status).toBe(200);
    }
    const shipped = await Promise.all(confirmed.map(({ id }) => client.settled(token, id)));
    expect(shipped.filter(({ status }) => status === "SHIPPED")).toHaveLength(50);
    expect(await client.stock(product)).toEqual({ onHand: 0, reserved: 0, available: 0 });
    expect(await ledger.count("CAPTURE", settled)).toBe(50);
  }, 300_000);

  it("is exactly what its event log folds to, confirmed, shipped, cancelled and rejected ones", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 4 });
    const card = "pm_test_declined";
    const placed = await Promise.all([{}, {}, {}, { card }].map((o) => client.order(token, product, o)));
    await Promise.all(placed.map(({ id }) => client.settled(token, id)));
    await client.post(`/api/orders/${placed[1].id}:ship`, { token: client.adminToken });
    await client.post(`/api/orders/${placed[2].id}:cancel`, { token });
    const settled = await Promise.all(placed.map(({ id }) => client.settled(token, id)));
    expect(settled.map(({ status }) => status)).toEqual(["CONFIRMED", "SHIPPED", "CANCELLED", "REJECTED"]);
    const database = openDatabase({ url: topology.orderUrl, schema: "order", service: "test" });
    try {
      const { orders, differences } = await rebuildOrders(database);
      expect(orders).toBeGreaterThanOrEqual(placed.length);
      expect(differences).toEqual([]);
    } finally {
      await database.close();
    }
  });
});

/** The mail to this address about the order, once it was sent. */
async function mailTo(topology: Topology, address: string, orderId: string): Promise<string> {
  const folder = join(topology.dataDir, "mail");
  let found: string | undefined;
  await expect
    .poll(async () => {
      for (const name of await readdir(folder).catch(() => [])) {
        const text = await readFile(join(folder, name), "utf8");
        if (text.includes(address) && text.includes(orderId)) found = text;
      }
      return found;
    })
    .toBeDefined();
  return found ?? "";
}
