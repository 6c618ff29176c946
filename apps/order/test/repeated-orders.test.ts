import { type Database, DatabaseUnreachable, openDatabase, QueueFull } from "@rialto/database";
import { backgroundContext, CallError, callErrors, reasonOf } from "@rialto/rpc";
import { executionsOf } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { asCustomer, type Calls, type Fixture, newKey, openFixture, refusalOf } from "./order-fixture.ts";

let fixture: Fixture;
/** With one connection for all that is no group commit, so that its statements can be counted. */
let database: Database;
/** A process that is started while its queue is full. */
let full: Calls;
/** A process that sheds every new order. */
let shedding: Calls;
/** A process that wants confirmed addresses. */
let strict: Calls;
const shedsAll = {
  requireAdmitted() {
    throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { metadata: { retry_after_seconds: "3" } });
  },
};

beforeAll(async () => {
  fixture = await openFixture();
  database = openDatabase({ url: fixture.url, schema: "order", service: "order", connectionsMax: 1 });
  const lenient = { requireConfirmedEmail: false };
  full = fixture.start(lenient, { changed: () => ({ commit: () => Promise.reject(new QueueFull(1)) }) }).gateway;
  shedding = fixture.start(lenient, { admission: shedsAll }).gateway;
  strict = fixture.start({ requireConfirmedEmail: true }).gateway;
});
afterEach(() => {
  fixture.state.users = "up";
  fixture.state.products = "up";
});
afterAll(async () => {
  await database.close();
  await fixture.close();
});

/** An order that was placed, and whose answer its client never saw. */
async function placed() {
  const customer = fixture.customer();
  const product = fixture.product({ price: 1250n });
  const context = asCustomer(customer);
  const request = {
    items: [{ productId: product, quantity: 1 }],
    paymentMethod: "pm_test_approved",
    expectedTotal: { currencyCode: "EUR", minorUnits: 1250n },
  };
  const key = newKey();
  const first = await fixture.gateway.createOrder(request, context, key);
  return { customer, product, context, request, key, first };
}

type Placed = Awaited<ReturnType<typeof placed>>;

interface Since {
  readonly what: string;
  readonly happen?: (order: Placed) => void;
  readonly gateway?: () => Calls;
  /** How the same request ends with a new key by then. */
  readonly refusal: string;
}

/** What has happened when the request is repeated. */
const since: readonly Since[] = [
  {
    what: "the product is gone",
    happen: ({ product }) => fixture.changeProduct(product),
    refusal: "PRODUCT_UNAVAILABLE",
  },
  {
    what: "the product is not on sale",
    happen: ({ product }) => fixture.changeProduct(product, { active: false }),
    refusal: "PRODUCT_UNAVAILABLE",
  },
  {
    what: "the price was changed",
    happen: ({ product }) => fixture.changeProduct(product, { price: 1300n }),
    refusal: "TOTAL_CHANGED",
  },
  {
    what: "the account is gone",
    happen: ({ customer }) => fixture.removeAccount(customer),
    refusal: "CUSTOMER_UNKNOWN",
  },
  {
    what: "the product service has stopped",
    happen: () => void Object.assign(fixture.state, { products: "down" }),
    refusal: "TEMPORARILY_UNAVAILABLE",
  },
  {
    what: "the user service has stopped",
    happen: () => void Object.assign(fixture.state, { users: "down" }),
    refusal: "TEMPORARILY_UNAVAILABLE",
  },
  { what: "the queue of commits is full", gateway: () => full, refusal: "TEMPORARILY_UNAVAILABLE" },
  { what: "orders are shed", gateway: () => shedding, refusal: "TEMPORARILY_UNAVAILABLE" },
];

describe.each(since)("an order whose answer was lost, repeated when $what", ({ happen, refusal, gateway: at }) => {
  const gateway = () => at?.() ?? fixture.gateway;

  it("is answered as the first time, and there is one order", async () => {
    const order = await placed();
    happen?.(order);
    expect(await gateway().createOrder(order.request, order.context, order.key)).toEqual(order.first);
    expect((await fixture.gateway.listOrders({}, order.context)).orders).toHaveLength(1);
  });

  it("is told that its key was used, where it is another request", async () => {
    const order = await placed();
    happen?.(order);
    const items = [{ productId: order.product, quantity: 2 }];
    const other = gateway().createOrder({ ...order.request, items }, order.context, order.key);
    expect((await refusalOf(other)).reason).toBe("IDEMPOTENCY_KEY_REUSED");
    expect((await fixture.gateway.listOrders({}, order.context)).orders).toHaveLength(1);
  });

  it("is refused under a new key, which may be used again", async () => {
    const order = await placed();
    happen?.(order);
    const key = newKey();
    const asked = () => gateway().createOrder(order.request, order.context, key);
    expect((await refusalOf(asked())).reason).toBe(refusal);
    expect((await refusalOf(asked())).reason).toBe(refusal);
    expect((await fixture.gateway.listOrders({}, order.context)).orders).toHaveLength(1);
  });
});

describe("an order whose answer was lost", () => {
  it("is answered as the first time to a caller whose address must be confirmed by now", async () => {
    const { customer, request, key, first } = await placed();
    const context = { ...backgroundContext({ timeoutMs: 20_000 }), userToken: `CUSTOMER.${customer}.unconfirmed` };
    expect(await strict.createOrder(request, context, key)).toEqual(first);
    expect((await refusalOf(strict.createOrder(request, context, newKey()))).reason).toBe("EMAIL_UNCONFIRMED");
  });

  it.each(["users", "products"] as const)(
    "is answered before the deadline where the %s never answer",
    async (which) => {
      const { request, customer, key, first } = await placed();
      fixture.state[which] = "hangs";
      const context = () => ({ ...asCustomer(customer), ...backgroundContext({ timeoutMs: 6_000 }) });
      expect(await fixture.gateway.createOrder(request, context(), key)).toEqual(first);
      const other = { ...request, paymentMethod: "pm_test_declined" };
      expect((await refusalOf(fixture.gateway.createOrder(other, context(), key))).reason).toBe(
        "IDEMPOTENCY_KEY_REUSED",
      );
    },
  );

  it("is placed once, however many repetitions come while it is placed and its product is taken off sale", async () => {
    const context = asCustomer(fixture.customer());
    const product = fixture.product();
    const request = { items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" };
    const key = newKey();
    const other = fixture.start();
    const repeat = (n: number) =>
      (n % 2 === 0 ? fixture : other).gateway.createOrder(request, context, key).then(
        ({ order }) => order?.id,
        (error: unknown) => reasonOf(error),
      );
    const early = Array.from({ length: 12 }, (_, n) => repeat(n));
    await new Promise((resolve) => setImmediate(resolve));
    fixture.changeProduct(product, { active: false });
    const ends = new Set(await Promise.all([...early, ...Array.from({ length: 12 }, (_, n) => repeat(n))]));
    const { orders } = await fixture.gateway.listOrders({}, context);
    expect(orders).toHaveLength(1);
    const [id] = orders.map((order) => order.id);
    // Who was refused was so before it was placed. From now on there is one answer.
    const known = new Set([id, "PRODUCT_UNAVAILABLE", "IDEMPOTENCY_KEY_IN_USE"]);
    expect([...ends].filter((end) => !known.has(end))).toEqual([]);
    expect((await other.gateway.createOrder(request, context, key)).order?.id).toBe(id);
  });

  it("is not told a refusal while it is not known whether it was placed", async () => {
    const { request, context, product, key } = await placed();
    const find = () => Promise.reject(new DatabaseUnreachable("no answer"));
    const process = fixture.start(undefined, { changed: () => ({ answers: { find } }) });
    fixture.changeProduct(product);
    const error = await refusalOf(process.gateway.createOrder(request, context, key));
    expect(error).toMatchObject({ code: "unavailable", reason: "TEMPORARILY_UNAVAILABLE" });
  });
});

describe("an order that is shed", () => {
  it("asks no service, costs no statement, and says when to come back", async () => {
    const { gateway } = fixture.start(undefined, { database, admission: shedsAll });
    const { request, context } = await placed();
    const asked = fixture.asked.length;
    const before = await executionsOf(database.sql, "");
    const error = await refusalOf(gateway.createOrder(request, context));
    expect(error).toMatchObject({ code: "unavailable", metadata: { retry_after_seconds: "3" } });
    expect(fixture.asked).toHaveLength(asked);
    expect((await executionsOf(database.sql, "")) - before).toBe(0);
  });
});

describe("the statements that look keys up", () => {
  it("are none for orders that are placed, and for those that are repeated", async () => {
    const { gateway } = fixture.start(undefined, { database });
    const before = await executionsOf(database.sql, "idempotency");
    const orders = await Promise.all(Array.from({ length: 8 }, placed));
    for (const { request, context, key, first } of orders) {
      expect((await gateway.createOrder(request, context, newKey())).order?.status).toBe(first.order?.status);
      expect(await gateway.createOrder(request, context, key)).toEqual(first);
    }
    expect(await executionsOf(database.sql, "idempotency")).toBe(before);
  });

  it("are one for orders that are refused at the same moment", async () => {
    const { gateway } = fixture.start(undefined, { database });
    const orders = await Promise.all(Array.from({ length: 16 }, placed));
    for (const { product } of orders) fixture.changeProduct(product);
    const before = await executionsOf(database.sql, "idempotency");
    const answers = await Promise.all(
      orders.map(({ request, context, key }) => gateway.createOrder(request, context, key)),
    );
    expect(answers).toEqual(orders.map(({ first }) => first));
    expect((await executionsOf(database.sql, "idempotency")) - before).toBe(1);
  });
});
