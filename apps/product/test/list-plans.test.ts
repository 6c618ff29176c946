import { explained, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProductStore } from "../src/product/store.ts";
import { product as service } from "../src/service.ts";

/*
 * The lists on tables that are large. "Old" values are common, and none of the newer half of the rows has them: what
 * reads from the newest row on would read half of the table.
 */

const rows = 100_000;
const limit = 21;

/** The id of the row with that number. */
function id(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  watched = explained(db.database("product").sql);
  const uuid = db.sql`('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  await db.sql`
    insert into product.product (id, name, description, category, price, currency, active, search_text, create_time, update_time)
    select ${uuid}, 'Teapot', '', case when n % 5000 = 7 then 'rare' when n < ${rows / 2} and n % 2 = 0 then 'old' else 'other' end,
      1, 'EUR', n % 3 = 0 and n < ${rows / 2}, 'teapot', now(), now()
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze product.product`;
});
afterAll(() => db.close());

/** A page reads its rows, each from a page of its own at worst, and no others. */
async function expectOnePage(): Promise<void> {
  const plans = await watched.plans();
  expect(plans).toHaveLength(1);
  for (const plan of plans) {
    expect(plan).toMatchObject({ scanned: [], sortedRows: 0 });
    expect(plan.readRows).toBeLessThanOrEqual(limit);
    expect(plan.buffers).toBeLessThanOrEqual(2 * limit + 20);
  }
}

const pages = [
  ["the first page", undefined],
  ["a deep page", id(rows / 4)],
] as const;

describe.each(pages)("%s of the catalog", (_, after) => {
  const filters = [undefined, "old", "rare", "none"].flatMap((category) =>
    [false, true].map((activeOnly) => ({ words: [], category, activeOnly })),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    await createProductStore({ sql: watched.sql }).list(filter, { after, limit });
    await expectOnePage();
  });
});
