import { openDatabase } from "@rialto/database";
import { executionsOf } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createProductStore } from "../src/product/store.ts";
import { type CatalogPage, createCatalogPages } from "../src/requests/catalog-pages.ts";
import { admin, anonymous, as, type Fixture, openFixture, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const list = (request: { category: string; pageSize?: number; pageToken?: string }, who = anonymous()) =>
  fixture.gateway.products.listProducts(request, who);

/** Pages of the catalog over one connection, whose statements can be counted. */
function openPages() {
  const { sql, close } = openDatabase({ url: fixture.url, schema: "product", service: "product", connectionsMax: 1 });
  onTestFinished(close);
  const freezesShared = true;
  const pages = createCatalogPages(createProductStore({ sql, freezesShared }), { freezesShared });
  return {
    async read(...wanted: readonly (Partial<CatalogPage["filter"]> & Partial<CatalogPage["from"]>)[]) {
      const before = await executionsOf(sql, "from product");
      const found = await Promise.all(
        wanted.map(({ category, activeOnly = true, limit = 2, after }) =>
          pages.load({ filter: { category, activeOnly }, from: { limit, after } }),
        ),
      );
      return { found, statements: (await executionsOf(sql, "from product")) - before };
    },
  };
}

async function filledCategory(): Promise<string> {
  const category = `category ${uuidv7()}`;
  for (const name of ["Cup", "Mug", "Pot"]) await fixture.product({ category, name });
  return category;
}

describe("a page of the catalog that many read at the same moment", () => {
  it("is read by one statement, and is one answer for all of them", async () => {
    const category = await filledCategory();
    const { read } = openPages();
    const { found, statements } = await read(...Array.from({ length: 20 }, () => ({ category })));
    expect(statements).toBe(1);
    expect(new Set(found).size).toBe(1);
    expect(found[0]?.products?.map(({ name }) => name)).toEqual(["Pot", "Mug"]);
    expect(() => found[0]?.products?.pop()).toThrow(TypeError);
  });

  it("takes a statement for each filter, size and place of it", async () => {
    const category = await filledCategory();
    const { read } = openPages();
    const [last] = (await fixture.gateway.products.listProducts({ category, pageSize: 1 }, anonymous())).products;
    const after = [last?.id ?? ""] as const;
    const { found, statements } = await read(
      ...[{ category }, { category, after }, { category, limit: 1 }, { category, activeOnly: false }],
      { category: "another" },
    );
    expect(found.map(({ products }) => products?.map(({ name }) => name))).toEqual([
      ...[["Pot", "Mug"], ["Mug", "Cup"], ["Pot"], ["Pot", "Mug"]],
      [],
    ]);
    expect(statements).toBe(5);
  });

  it("is each caller's own message, whoever they are", async () => {
    const category = await filledCategory();
    const readers = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? anonymous() : as("CUSTOMER")));
    const pages = await Promise.all(readers.map((reader) => list({ category, pageSize: 2 }, reader)));
    for (const page of pages) expect(page).toEqual(pages[0]);
    pages[0]?.products.pop();
    expect(pages[1]?.products.length).toBe(2);
  });

  it("shows what is not on sale to admins only, also where customers read beside them", async () => {
    const category = await filledCategory();
    await fixture.product({ category, name: "Secret", active: false });
    const readers = [anonymous(), admin(), as("CUSTOMER"), admin()];
    const pages = await Promise.all(readers.map((reader) => list({ category }, reader)));
    expect(pages.map(({ products }) => products[0]?.name)).toEqual(["Pot", "Secret", "Pot", "Secret"]);
  });

  it("has the price that was committed before it was asked for", async () => {
    const category = await filledCategory();
    const first = list({ category });
    await new Promise((resolve) => setImmediate(resolve));
    await fixture.sql`update product set price = 99 where category = ${category}`;
    const { products } = await list({ category });
    expect(products.map(({ price }) => price?.minorUnits)).toEqual([99n, 99n, 99n]);
    await first;
  });

  it("is refused to who has a bad token or no time alone", async () => {
    const category = await filledCategory();
    const [good, bad, late] = await Promise.all([
      list({ category }).then(({ products }) => products.length),
      refusal(list({ category, pageToken: "made-up" })),
      refusal(fixture.gateway.products.listProducts({ category }, anonymous(), { timeoutMs: 0 })),
    ]);
    expect([good, bad, late]).toEqual([3, "PAGE_TOKEN_INVALID", "DEADLINE_PASSED"]);
  });
});
