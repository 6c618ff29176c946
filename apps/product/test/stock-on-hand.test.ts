import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { StockDecision } from "../src/stock/state.ts";
import { applyDecisions } from "../src/stock/store.ts";
import { admin, anonymous, as, type Fixture, openFixture, refusal } from "./fixture.ts";

const fixture = await openFixture();
afterEach(async () => expect(await fixture.discrepancies()).toEqual([]));
afterAll(() => fixture.close());

const reserve = (orderId: string, productId: string, quantity = 1, process: Pick<Fixture, "order"> = fixture) =>
  process.order.stock.reserveStock({ orderId, items: [{ productId, quantity }] }, anonymous());

describe("AdjustStock", () => {
  it("needs a key: without one a repetition would count a delivery twice", async () => {
    const product = await fixture.product({ stock: 5 });
    const adjust = fixture.gateway.stock.adjustStock({ productId: product, delta: 2, reason: "delivery" }, admin());
    expect(await refusal(adjust)).toBe("ADJUSTMENT_KEY_REQUIRED");
    expect(await fixture.stockOf(product)).toBe("5 / 0 / 5");
  });

  it("adds and takes away, and writes down who and why", async () => {
    const product = await fixture.product({ stock: 5 });
    const { stock } = await fixture.gateway.stock.adjustStock(
      { productId: product, delta: -2, reason: "damaged" },
      admin(),
      { idempotencyKey: uuidv7() },
    );
    expect(stock).toMatchObject({ onHand: 3, reserved: 0, available: 3 });
    const rows =
      await fixture.sql`select delta, reason, actor from adjustment where product_id = ${product} order by id`;
    expect(rows).toMatchObject([
      { delta: 5, reason: "delivery" },
      { delta: -2, reason: "damaged", actor: expect.stringMatching(/^admin:/) },
    ]);
  });

  it("leaves what is reserved", async () => {
    const product = await fixture.product({ stock: 5 });
    await reserve(uuidv7(), product, 4);
    const adjust = (delta: number) =>
      fixture.gateway.stock.adjustStock({ productId: product, delta, reason: "" }, admin(), {
        idempotencyKey: uuidv7(),
      });
    expect(await refusal(adjust(-2))).toBe("STOCK_BELOW_RESERVED");
    expect(await refusal(adjust(-1))).toBe("none");
    expect(await fixture.stockOf(product)).toBe("4 / 4 / 0");
  });

  it("counts once for one idempotency key, and refuses the key for another request", async () => {
    const product = await fixture.product();
    const origin = admin();
    const adjust = (delta: number) =>
      fixture.gateway.stock.adjustStock({ productId: product, delta, reason: "delivery" }, origin, {
        idempotencyKey: "delivery-7",
      });
    const answers = await Promise.all([adjust(5), adjust(5), adjust(5)]);
    for (const { stock } of answers) expect(stock).toMatchObject({ onHand: 5, available: 5 });
    expect(await refusal(adjust(6))).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await fixture.stockOf(product)).toBe("5 / 0 / 5");
  });

  it("keeps no key for what it refused", async () => {
    const product = await fixture.product();
    const origin = admin();
    const take = () =>
      fixture.gateway.stock.adjustStock({ productId: product, delta: -1, reason: "count" }, origin, {
        idempotencyKey: "count-1",
      });
    expect(await refusal(take())).toBe("STOCK_BELOW_RESERVED");
    await fixture.gateway.stock.adjustStock({ productId: product, delta: 1, reason: "delivery" }, admin(), {
      idempotencyKey: uuidv7(),
    });
    expect(await refusal(take())).toBe("none");
  });

  it("goes well beside reservations of the same product", async () => {
    const product = await fixture.product({ stock: 60 });
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        n % 3 === 0
          ? refusal(
              fixture.gateway.stock.adjustStock({ productId: product, delta: 1, reason: "delivery" }, admin(), {
                idempotencyKey: uuidv7(),
              }),
            )
          : refusal(reserve(uuidv7(), product)),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set(["none"]));
    expect(await fixture.stockOf(product)).toBe("80 / 40 / 40");
  });

  it("is refused for an unknown product, and for callers who are not admins", async () => {
    const request = { productId: uuidv7(), delta: 1, reason: "" };
    expect(await refusal(fixture.gateway.stock.adjustStock(request, admin(), { idempotencyKey: uuidv7() }))).toBe(
      "PRODUCT_NOT_FOUND",
    );
    expect(await refusal(fixture.gateway.stock.adjustStock(request, as("CUSTOMER")))).toBe("ACCESS_DENIED");
  });
});

describe("GetStock", () => {
  it("shows the public only products that are on sale", async () => {
    const [onSale, hidden] = await Promise.all([
      fixture.product({ stock: 3 }),
      fixture.product({ stock: 3, active: false }),
    ]);
    const { stock } = await fixture.gateway.stock.getStock({ productId: onSale }, anonymous());
    expect(stock).toMatchObject({ onHand: 3, reserved: 0, available: 3 });
    expect(await refusal(fixture.gateway.stock.getStock({ productId: hidden }, anonymous()))).toBe("PRODUCT_NOT_FOUND");
    expect(await refusal(fixture.gateway.stock.getStock({ productId: hidden }, as("CUSTOMER")))).toBe(
      "PRODUCT_NOT_FOUND",
    );
    expect(await fixture.stockOf(hidden)).toBe("3 / 0 / 3");
  });
});

describe("applyDecisions", () => {
  it("never deadlocks: batches that overlap in orders and products, in any order, all end", async () => {
    const products = await Promise.all(Array.from({ length: 5 }, () => fixture.product({ stock: 5_000 })));
    const orders = Array.from({ length: 25 }, () => uuidv7());
    const batches = Array.from({ length: 240 }, (_, n) =>
      Array.from({ length: 12 }, (_unused, m): StockDecision => {
        // Steps coprime to the lengths, so that batches lock the same rows in different orders.
        const orderId = orders[(n * 7 + m * 11) % orders.length] ?? "";
        const items = [0, 1, 2].map((k) => ({
          productId: products[(n * 3 + m * 2 + k * 4) % products.length] ?? "",
          quantity: 1,
        }));
        return (n + m) % 4 === 3 ? { kind: "release", orderId } : { kind: "reserve", orderId, items };
      }),
    );
    const ended = new Map<string, number>();
    const work = async (client: number) => {
      for (let n = client; n < batches.length; n += 4) {
        const end = await fixture.sql
          // A deadlock is detected after 1 s (deadlock_timeout), before the lock timeout of 2 s.
          .begin((tx) => applyDecisions(tx, batches[n] ?? []))
          .then(
            () => "committed",
            (error) => error.code ?? error.name,
          );
        ended.set(end, (ended.get(end) ?? 0) + 1);
      }
    };
    await Promise.all([0, 1, 2, 3].map(work));
    const { committed = 0, ReservationAppeared: again = 0, ...others } = Object.fromEntries(ended);
    expect(others).toEqual({});
    expect(committed + again).toBe(batches.length);
  });
});

describe("the stock table", () => {
  it("refuses by itself what must never be", async () => {
    const product = await fixture.product({ stock: 5 });
    const write = (assignments: string) =>
      fixture.sql.unsafe(`update stock set ${assignments} where product_id = '${product}'`).then(
        () => "written",
        (error) => error.constraint_name,
      );
    expect(await write("reserved = 6")).toBe("stock_never_negative");
    expect(await write("reserved = -1")).toBe("stock_never_negative");
    expect(await write("on_hand = -1, received = -1")).toBe("stock_never_negative");
    expect(await write("on_hand = 6")).toBe("stock_adds_up");
  });
});
