import {
  excessOf,
  explained,
  largeTable,
  pagesBefore,
  rowId,
  rowIdIn,
  type TestDatabase,
  testDatabase,
} from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProductStore } from "../src/product/store.ts";
import { product as service } from "../src/service.ts";

/*
 * An old category is common, and none of the newer half of the rows has it: what reads from the newest row on would
 * read half of the table.
 */

const { rows, limit } = largeTable;

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  watched = explained(db.database("product").sql);
  const id = rowIdIn(db.sql);
  await db.sql`
    insert into product.product (id, name, description, category, price, currency, active, search_text, create_time, update_time)
    select ${id}, 'Teapot', '', case when n % 5000 = 7 then 'rare' when n < ${rows / 2} and n % 2 = 0 then 'old' else 'other' end,
      1, 'EUR', n % 3 = 0 and n < ${rows / 2}, 'teapot', now(), now()
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze product.product`;
});
afterAll(() => db.close());

describe.each(pagesBefore(rowId(rows / 4)))("%s of the catalog", (_, after) => {
  const filters = [undefined, "old", "rare", "none"].flatMap((category) =>
    [false, true].map((activeOnly) => ({ words: [], category, activeOnly })),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    await createProductStore({ sql: watched.sql }).list(filter, { after, limit });
    expect(excessOf(await watched.plans())).toEqual([]);
  });
});
