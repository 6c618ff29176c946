import { ProductErrorReason } from "@rialto/contracts";
import { recordMetrics, recordSpans } from "@rialto/telemetry/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { admin, anonymous, type Fixture, openFixture, refusal } from "./fixture.ts";

const fixture = await openFixture();
afterEach(async () => expect(await fixture.discrepancies()).toEqual([]));
afterAll(() => fixture.close());

const reserve = (orderId: string, productId: string, quantity = 1, process: Pick<Fixture, "order"> = fixture) =>
  process.order.stock.reserveStock({ orderId, items: [{ productId, quantity }] }, anonymous());
const release = (orderId: string) => fixture.order.stock.releaseStock({ orderId }, anonymous());
const commit = (orderId: string) => fixture.order.stock.commitStock({ orderId }, anonymous());

describe("ReserveStock", () => {
  it("reserves, and once more changes nothing", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    await reserve(order, product, 2);
    await reserve(order, product, 2);
    expect(await fixture.stockOf(product)).toBe("5 / 2 / 3");
  });

  it("reserves all items of an order or none, and names the one that is short", async () => {
    const [plenty, short] = await Promise.all([fixture.product({ stock: 5 }), fixture.product({ stock: 1 })]);
    const items = [
      { productId: plenty, quantity: 2 },
      { productId: short, quantity: 2 },
    ];
    const error = await fixture.order.stock
      .reserveStock({ orderId: uuidv7(), items }, anonymous())
      .catch((cause) => cause);
    expect(error).toMatchObject({
      reason: "OUT_OF_STOCK",
      code: "failed_precondition",
      metadata: { product_id: short },
    });
    expect(await fixture.stockOf(plenty)).toBe("5 / 0 / 5");
  });

  it("gives 50 to 200 that come at once, to each its own answer", async () => {
    const product = await fixture.product({ stock: 50 });
    const other = await fixture.start();
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, n) => refusal(reserve(uuidv7(), product, 1, n % 2 === 0 ? fixture : other))),
    );
    expect(outcomes.filter((outcome) => outcome === "none").length).toBe(50);
    expect(outcomes.filter((outcome) => outcome === "OUT_OF_STOCK").length).toBe(150);
    expect(await fixture.stockOf(product)).toBe("50 / 50 / 0");
  });

  it("reserves once for an order that two processes ask for at the same moment", async () => {
    const product = await fixture.product({ stock: 500 });
    const other = await fixture.start();
    const orders = Array.from({ length: 40 }, () => uuidv7());
    const outcomes = await Promise.all(
      orders.flatMap((order) => [refusal(reserve(order, product, 3)), refusal(reserve(order, product, 3, other))]),
    );
    expect(new Set(outcomes)).toEqual(new Set(["none"]));
    expect(await fixture.stockOf(product)).toBe("500 / 120 / 380");
  });

  it("takes orders of the same products in any order of the items, from two processes", async () => {
    const products = await Promise.all(Array.from({ length: 6 }, () => fixture.product({ stock: 1_000 })));
    const other = await fixture.start();
    const outcomes = await Promise.all(
      Array.from({ length: 120 }, (_, n) => {
        const items = [...products.slice(n % 6), ...products.slice(0, n % 6)].map((productId) => ({
          productId,
          quantity: 1,
        }));
        const { stock } = (n % 2 === 0 ? fixture : other).order;
        return refusal(
          stock.reserveStock({ orderId: uuidv7(), items: n % 3 === 0 ? items.toReversed() : items }, anonymous()),
        );
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(["none"]));
    for (const product of products) expect(await fixture.stockOf(product)).toBe("1000 / 120 / 880");
  });

  it("answers a refused order the same for ever, also when there is stock again", async () => {
    const product = await fixture.product({ stock: 1 });
    const order = uuidv7();
    expect(await refusal(reserve(order, product, 2))).toBe("OUT_OF_STOCK");
    await fixture.gateway.stock.adjustStock({ productId: product, delta: 10, reason: "delivery" }, admin(), {
      idempotencyKey: uuidv7(),
    });
    expect(await refusal(reserve(order, product, 2))).toBe("OUT_OF_STOCK");
    expect(await fixture.stockOf(product)).toBe("11 / 0 / 11");
  });

  it("counts what is refused by its reason, and a refused order again when it is asked for again", async () => {
    const { metrics, read } = recordMetrics();
    const process = await fixture.start({}, metrics);
    const product = await fixture.product({ stock: 1 });
    const order = uuidv7();
    await reserve(uuidv7(), product, 1, process);
    for (const id of [order, order]) await refusal(reserve(id, product, 1, process));
    await refusal(reserve(uuidv7(), uuidv7(), 1, process));
    await refusal(process.order.stock.commitStock({ orderId: order }, anonymous()));
    expect(await read("rialto.stock.refused")).toEqual({
      OUT_OF_STOCK: 2,
      PRODUCT_NOT_FOUND: 1,
      QUANTITY_LIMIT: 0,
      RESERVATION_RELEASED: 0,
    });
  });

  it("refuses a product that is not there", async () => {
    expect(await refusal(reserve(uuidv7(), uuidv7()))).toBe("PRODUCT_NOT_FOUND");
  });

  it("takes ids in capital letters for the same ids", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    await reserve(order.toUpperCase(), product.toUpperCase(), 2);
    await reserve(order, product, 2);
    await commit(order.toUpperCase());
    expect(await fixture.stockOf(product)).toBe("3 / 0 / 3");
  });

  it("is for the order service alone", async () => {
    const product = await fixture.product({ stock: 5 });
    const request = { orderId: uuidv7(), items: [{ productId: product, quantity: 1 }] };
    expect(await refusal(fixture.gateway.stock.reserveStock(request, admin()))).toBe("METHOD_UNKNOWN");
  });
});

describe("BatchReserveStock", () => {
  const of = (orderId: string, productId: string, quantity = 1) => ({
    reservation: { orderId, items: [{ productId, quantity }] },
  });
  const reserveAll = async (reservations: readonly ReturnType<typeof of>[]) => {
    const { outcomes } = await fixture.order.stock.batchReserveStock({ reservations: [...reservations] }, anonymous());
    return new Map(
      outcomes.map(({ orderId, reserved, refusal }) => [orderId, reserved || ProductErrorReason[refusal]]),
    );
  };

  it("has spans of the orders alone whose traces are recorded", async () => {
    const { tracing, spans } = recordSpans({ ratio: 0 });
    const product = await fixture.product({ stock: 3 });
    const traceOf = (flags: string) => `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`;
    const reservations = ["01", "00", "00"].map((flags) => ({ ...of(uuidv7(), product), traceparent: traceOf(flags) }));
    const call = tracing.beginTrace("call", {});
    const reserved = () => fixture.order.stock.batchReserveStock({ reservations }, anonymous());
    expect((await call.run(reserved)).outcomes.map((outcome) => outcome.reserved)).toEqual([true, true, true]);
    const made = spans().filter(({ name }) => ["reserve stock", "decide stock"].includes(name));
    expect(made.map(({ name, traceId }) => [name, traceId])).toEqual([
      ["decide stock", "0af7651916cd43dd8448eb211c80319c"],
      ["reserve stock", "0af7651916cd43dd8448eb211c80319c"],
    ]);
  });

  it("reserves for each order as if it had been asked for alone", async () => {
    const product = await fixture.product({ stock: 3 });
    const [first, second, third, stranger] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
    const outcomes = await reserveAll([
      of(first, product, 2),
      of(second, product, 2),
      of(third, product, 1),
      of(stranger, uuidv7()),
    ]);
    expect([first, second, third, stranger].map((id) => outcomes.get(id))).toEqual([
      true,
      "OUT_OF_STOCK",
      true,
      "PRODUCT_NOT_FOUND",
    ]);
    expect(await fixture.stockOf(product)).toBe("3 / 3 / 0");
  });

  it("once more changes nothing and answers the same, and so does a call for one of the orders", async () => {
    const product = await fixture.product({ stock: 2 });
    const [kept, short] = [uuidv7(), uuidv7()];
    const asked = [of(kept, product, 2), of(short, product, 1)];
    const first = await reserveAll(asked);
    await fixture.gateway.stock.adjustStock({ productId: product, delta: 5 }, admin(), { idempotencyKey: uuidv7() });
    expect(await reserveAll(asked)).toEqual(first);
    expect(await refusal(reserve(kept, product, 2))).toBe("none");
    expect(await refusal(reserve(short, product, 1))).toBe("OUT_OF_STOCK");
    expect(await fixture.stockOf(product)).toBe("7 / 2 / 5");
  });

  it("refuses an order whose reservation was given back before", async () => {
    const product = await fixture.product({ stock: 5 });
    const [late, other] = [uuidv7(), uuidv7()];
    await release(late);
    const outcomes = await reserveAll([of(late, product), of(other, product)]);
    expect([outcomes.get(late), outcomes.get(other)]).toEqual(["RESERVATION_RELEASED", true]);
  });

  it("takes an order twice in a call for one", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    expect(await reserveAll([of(order, product, 2), of(order, product, 2)])).toEqual(new Map([[order, true]]));
    expect(await fixture.stockOf(product)).toBe("5 / 2 / 3");
  });

  it("takes as many orders as large as they may be, and no more", async () => {
    const product = await fixture.product({ stock: 10_000 });
    const items = [product, ...Array.from({ length: 99 }, () => uuidv7())].map((productId) => ({
      productId,
      quantity: 1,
    }));
    const large = (count: number) =>
      Array.from({ length: count }, () => ({ reservation: { orderId: uuidv7(), items, userId: uuidv7() } }));
    expect(new Set((await reserveAll(large(64))).values())).toEqual(new Set(["PRODUCT_NOT_FOUND"]));
    expect(await refusal(reserveAll(large(65)))).toBe("INVALID_REQUEST");
  });

  it("is for the order service alone", async () => {
    const request = { reservations: [of(uuidv7(), await fixture.product({ stock: 5 }))] };
    expect(await refusal(fixture.gateway.stock.batchReserveStock(request, admin()))).toBe("METHOD_UNKNOWN");
  });
});

describe("ReleaseStock", () => {
  it("gives back what was reserved, and once more changes nothing", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    await reserve(order, product, 2);
    await release(order);
    await release(order);
    expect(await fixture.stockOf(product)).toBe("5 / 0 / 5");
    expect(await refusal(reserve(order, product, 2))).toBe("RESERVATION_RELEASED");
  });

  it("that comes before the reservation refuses it", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    await release(order);
    expect(await refusal(reserve(order, product))).toBe("RESERVATION_RELEASED");
    expect(await refusal(commit(order))).toBe("RESERVATION_RELEASED");
    expect(await fixture.stockOf(product)).toBe("5 / 0 / 5");
  });

  it("and a reservation at the same moment leave nothing reserved", async () => {
    const product = await fixture.product({ stock: 100 });
    const orders = Array.from({ length: 30 }, () => uuidv7());
    await Promise.all(orders.flatMap((order) => [refusal(reserve(order, product)), release(order)]));
    expect(await fixture.stockOf(product)).toBe("100 / 0 / 100");
  });

  it("is refused once the stock has been shipped", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    await reserve(order, product, 2);
    await commit(order);
    expect(await refusal(release(order))).toBe("RESERVATION_COMMITTED");
  });
});

describe("CommitStock", () => {
  it("takes what was reserved off the stock, and once more changes nothing", async () => {
    const product = await fixture.product({ stock: 5 });
    const order = uuidv7();
    await reserve(order, product, 2);
    await commit(order);
    await commit(order);
    expect(await fixture.stockOf(product)).toBe("3 / 0 / 3");
  });

  it("is refused where nothing was reserved", async () => {
    expect(await refusal(commit(uuidv7()))).toBe("RESERVATION_NOT_FOUND");
    const product = await fixture.product();
    const order = uuidv7();
    await refusal(reserve(order, product));
    expect(await refusal(commit(order))).toBe("RESERVATION_NOT_FOUND");
  });
});

describe("what an account has reserved and not shipped", () => {
  const reserveFor = (
    userId: string,
    productId: string,
    quantity: number,
    orderId = uuidv7(),
    process: Pick<Fixture, "order"> = fixture,
  ) => process.order.stock.reserveStock({ orderId, items: [{ productId, quantity }], userId }, anonymous());

  it("has a bound for each product, however many of its orders come at once and to whichever replica", async () => {
    const product = await fixture.product({ stock: 5_000 });
    const [ada, bob] = [uuidv7(), uuidv7()];
    const other = await fixture.start();
    const asked = Array.from({ length: 30 }, (_, n) =>
      refusal(reserveFor(ada, product, 100, uuidv7(), n % 2 === 0 ? fixture : other)),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome === "none")).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === "QUANTITY_LIMIT")).toHaveLength(20);
    expect(await fixture.stockOf(product)).toBe("5000 / 1000 / 4000");
    expect(await refusal(reserveFor(bob, product, 1_000))).toBe("none");
    expect(await refusal(reserveFor(ada, await fixture.product({ stock: 1_000 }), 1_000))).toBe("none");
  });

  it("is less again once it is shipped or given back", async () => {
    const product = await fixture.product({ stock: 5_000 });
    const ada = uuidv7();
    const [shipped, released] = [uuidv7(), uuidv7()];
    for (const order of [shipped, released]) await reserveFor(ada, product, 500, order);
    expect(await refusal(reserveFor(ada, product, 1))).toBe("QUANTITY_LIMIT");
    await commit(shipped);
    await release(released);
    expect(await refusal(reserveFor(ada, product, 1_000))).toBe("none");
  });

  it("is reported as too little stock to an order service of 0.1, which knows no other reason", async () => {
    const product = await fixture.product({ stock: 5_000 });
    const order = uuidv7();
    expect(await refusal(reserveFor(uuidv7(), product, 1_001, order))).toBe("QUANTITY_LIMIT");
    expect(await refusal(reserve(order, product, 1_001))).toBe("OUT_OF_STOCK");
  });
});
