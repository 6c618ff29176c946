import { openDatabase } from "@rialto/database";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { grantTogether, type ReserveDecision } from "../src/stock/grant-together.ts";
import { applyDecisions } from "../src/stock/store.ts";
import { anonymous, type Fixture, openFixture } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterEach(async () => expect(await fixture.discrepancies()).toEqual([]));
afterAll(() => fixture.close());

const noLimit = Number.POSITIVE_INFINITY;

function reserve(productId: string, quantity: number, o: Partial<ReserveDecision> = {}): ReserveDecision {
  return { kind: "reserve", orderId: uuidv7(), items: [{ productId, quantity }], ...o };
}

async function reservationsOf(decisions: readonly ReserveDecision[]): Promise<number> {
  const ids = decisions.map(({ orderId }) => orderId);
  return (await fixture.sql`select from reservation where order_id = any (${ids}::uuid[])`).length;
}

/** Resolves when a session stands still behind a lock. */
async function untilOneWaits(): Promise<void> {
  const waiting = () => fixture.sql`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await waiting()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("reservations that all fit", () => {
  it("are granted together, with the items of each", async () => {
    const [a, b] = await Promise.all([fixture.product({ stock: 10 }), fixture.product({ stock: 3 })]);
    const both = [a, b].map((productId) => ({ productId, quantity: 1 }));
    const twice = reserve(a, 0, { items: [...both.slice(0, 1), ...both.slice(0, 1)] });
    const decisions = [reserve(a, 2), reserve(a, 0, { items: both }), reserve(b, 2), twice];
    expect(await grantTogether(fixture.sql, decisions, 1_000)).toBe(true);
    expect(await fixture.stockOf(a)).toBe("10 / 5 / 5");
    expect(await fixture.stockOf(b)).toBe("3 / 3 / 0");
    const [merged] = await fixture.sql`select items from reservation where order_id = ${twice.orderId}`;
    expect(merged?.items).toEqual([{ productId: a, quantity: 2 }]);
  });

  it("are one statement for many orders that ask at the same moment", async () => {
    const product = await fixture.product({ stock: 500 });
    const before = await transactions();
    await Promise.all(
      Array.from({ length: 60 }, () => {
        const items = [{ productId: product, quantity: 1 }];
        return fixture.order.stock.reserveStock({ orderId: uuidv7(), items }, anonymous());
      }),
    );
    expect(await fixture.stockOf(product)).toBe("500 / 60 / 440");
    expect((await transactions()) - before).toBeLessThanOrEqual(3);

    /** How many transactions have written reservations so far. */
    async function transactions(): Promise<number> {
      const [row] = await fixture.sql`select count(distinct xmin::text)::int as count from reservation`;
      return row?.count;
    }
  });

  it("are granted up to the limit of their account", async () => {
    const product = await fixture.product({ stock: 100 });
    const userId = uuidv7();
    expect(
      await grantTogether(fixture.sql, [reserve(product, 4, { userId }), reserve(product, 3, { userId })], 10),
    ).toBe(true);
    expect(await grantTogether(fixture.sql, [reserve(product, 3, { userId })], 10)).toBe(true);
    expect(await grantTogether(fixture.sql, [reserve(product, 1, { userId })], 10)).toBe(false);
    expect(await grantTogether(fixture.sql, [reserve(product, 1)], 10)).toBe(true);
    expect(await grantTogether(fixture.sql, [reserve(product, 90, { userId })], noLimit)).toBe(false);
    expect(await grantTogether(fixture.sql, [reserve(product, 80, { userId })], noLimit)).toBe(true);
  });
});

describe("reservations of which something is to be decided", () => {
  it("write nothing where they do not all fit", async () => {
    const product = await fixture.product({ stock: 5 });
    for (const refused of [
      [reserve(product, 3), reserve(product, 3)],
      [reserve(product, 1), reserve(uuidv7(), 1)],
      [reserve(product, 2_000_000_000), reserve(product, 2_000_000_000)],
      [reserve(product, 3_000_000_000)],
      [
        reserve(product, 1),
        reserve(product, 1, { userId: uuidv7(), items: [{ productId: product, quantity: 2_000 }] }),
      ],
    ]) {
      expect(await grantTogether(fixture.sql, refused, 1_000)).toBe(false);
      expect(await reservationsOf(refused)).toBe(0);
    }
    expect(await fixture.stockOf(product)).toBe("5 / 0 / 5");
  });

  it("write nothing where an order has a reservation already", async () => {
    const product = await fixture.product({ stock: 5 });
    const first = reserve(product, 1);
    expect(await grantTogether(fixture.sql, [first], 1_000)).toBe(true);
    expect(await grantTogether(fixture.sql, [first, reserve(product, 1)], 1_000)).toBe(false);
    expect(await fixture.stockOf(product)).toBe("5 / 1 / 4");
  });

  it("write nothing where stock was changed while they waited for its lock: the account may have more by then", async () => {
    const product = await fixture.product({ stock: 100 });
    const userId = uuidv7();
    const other = reserve(product, 8, { userId });
    const late = reserve(product, 8, { userId });
    let granted: Promise<boolean> | undefined;
    await fixture.sql.begin(async (tx) => {
      await applyDecisions(tx, [other], 10);
      granted = grantTogether(fixture.sql, [late], 10);
      await untilOneWaits();
    });
    expect(await granted).toBe(false);
    expect(await reservationsOf([late])).toBe(0);
  });

  it("write nothing where another process writes the reservation of one of them meanwhile", async () => {
    const [a, b] = await Promise.all([fixture.product({ stock: 5 }), fixture.product({ stock: 5 })]);
    const decision = reserve(a, 1);
    let granted: Promise<boolean> | undefined;
    await fixture.sql.begin(async (tx) => {
      // With stock that the other one does not ask for, so that they meet at the order.
      await applyDecisions(tx, [{ ...decision, items: [{ productId: b, quantity: 1 }] }], 10);
      granted = grantTogether(fixture.sql, [decision], 10);
      await untilOneWaits();
    });
    expect(await granted).toBe(false);
    expect(await fixture.stockOf(a)).toBe("5 / 0 / 5");
  });

  it("never deadlock with each other, nor with transactions that decide", async () => {
    const products = await Promise.all(Array.from({ length: 6 }, () => fixture.product({ stock: 100_000 })));
    const database = openDatabase({ url: fixture.url, schema: "product", service: "product", connectionsMax: 6 });
    onTestFinished(() => database.close());
    const batch = (n: number) =>
      Array.from({ length: 10 }, (_, m) =>
        reserve("", 0, {
          items: [0, 1, 2].map((k) => ({ productId: products[(n * 5 + m * 7 + k) % 6] ?? "", quantity: 1 })),
        }),
      );
    const errors: unknown[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async (_, client) => {
        for (let n = 0; n < 30; n += 1) {
          const work =
            client % 2 === 0
              ? grantTogether(database.sql, batch(n + client), 1_000)
              : database.sql.begin((tx) => applyDecisions(tx, batch(n + client), 1_000));
          await work.catch((error: unknown) => errors.push(error));
        }
      }),
    );
    expect(errors).toEqual([]);
  });
});
