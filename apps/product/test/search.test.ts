import { type Database, provision } from "@rialto/database";
import { reasonOf } from "@rialto/rpc";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProductSearch } from "../src/product/search.ts";
import { searchWordsOf } from "../src/product/state.ts";
import { listProducts, listStatement } from "../src/product/store.ts";
import { product as service } from "../src/service.ts";

let db: TestDatabase;
let database: Database;
const products = 20_000;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  database = db.database("product");
  await db.sql`
    insert into product.product (id, name, description, category, price, currency, active, search_text, create_time, update_time)
    select gen_random_uuid(), 'Teapot ' || n, '', 'many', 1, 'EUR', true,
      'teapot ' || md5(n::text) || ' ' || md5((n + 1000000)::text) || ' of clay', now(), now()
    from generate_series(1, ${products}) as n`;
  await db.sql`vacuum analyze product.product`;
});
afterAll(() => db.close());

const filterOf = (query: string) => ({ words: searchWordsOf(query) ?? [], category: undefined, activeOnly: true });
const page = { after: undefined, limit: 21 };
const from = (clientAddress?: string) => ({
  signal: AbortSignal.timeout(80_000),
  ...(clientAddress === undefined ? {} : { clientAddress }),
});

async function planOf(query: string): Promise<string> {
  const rows = await database.sql`explain ${listStatement(database.sql, filterOf(query), page)}`;
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

/** Locks the catalog during `work`, so that searches wait. */
async function whileTableLocked(work: () => Promise<void>): Promise<void> {
  await db.sql.begin(async (tx) => {
    await tx`lock table product.product in access exclusive mode`;
    await work();
  });
}

describe("a search of the catalog", () => {
  it("reads by the index what has a rare word, be it short or long", async () => {
    const [row] = await database.sql<{ text: string }[]>`select search_text as text from product limit 1`;
    const rare = row?.text.slice(9, 29) ?? "";
    for (const query of [rare, `${rare} of clay teapot`, "zq"])
      expect(await planOf(query), query).toContain("product_search");
    expect(await listProducts(database.sql, filterOf(rare), page)).toHaveLength(1);
  });

  it("is ended when it takes too long, and says so", async () => {
    const search = createProductSearch(database, { msMax: 100 });
    await whileTableLocked(async () => {
      const found = search.find(filterOf("teapot"), page, from());
      expect(await found.then(() => "none", reasonOf)).toBe("SEARCH_TOO_BROAD");
    });
  });

  it("is done in turn with others, however many searches of one address wait before it", async () => {
    const search = createProductSearch(database);
    const ended: string[] = [];
    let before = 0;
    const find = async (address: string) => {
      await search.find(filterOf("teapot"), page, from(address)).catch(() => undefined);
      ended.push(address);
    };
    const begun: Promise<void>[] = [];
    await whileTableLocked(async () => {
      for (let n = 0; n < 60; n += 1) begun.push(find("192.0.2.66"));
      // Refused at once.
      await expect.poll(() => ended.length).toBeGreaterThanOrEqual(23);
      before = ended.length;
      begun.push(find("198.51.100.7"));
    });
    await Promise.all(begun);
    // Two were running, and a few may have been started before it.
    expect(ended.indexOf("198.51.100.7") - before).toBeLessThan(8);
  });

  it("does not delay other queries, and is refused when too many wait", async () => {
    const search = createProductSearch(database);
    const begun: Promise<string | undefined>[] = [];
    await whileTableLocked(async () => {
      for (let n = 0; n < 60; n += 1)
        begun.push(search.find(filterOf("teapot"), page, from()).then(() => "found", reasonOf));
      expect(await database.sql`select count(*)::int as stocked from stock`).toEqual([{ stocked: 0 }]);
    });
    const outcomes = await Promise.all(begun);
    expect(outcomes.filter((outcome) => outcome === "TEMPORARILY_UNAVAILABLE")).toHaveLength(8);
    expect(outcomes.filter((outcome) => outcome === "found" || outcome === "SEARCH_TOO_BROAD")).toHaveLength(52);
  });
});

/** The warnings of a start with another index. */
async function warningsOfStart(index: { readonly extension: string; readonly name: string }) {
  const lines: Record<string, unknown>[] = [];
  const warn = (fields: Record<string, unknown>) => void lines.push(fields);
  const log: typeof quietLogger = Object.assign(Object.create(quietLogger), { warn });
  const indexes = [{ ...index, on: "product (name)" }];
  const schemas = service.schemas.map((schema) => ({ ...schema, indexes }));
  await provision({ adminUrl: db.adminUrl, secret: db.secret, schemas, log });
  return lines.filter(({ extension }) => extension !== undefined);
}

describe("a server that does not let us have the extension", () => {
  it("is started on all the same, and one line says what is slow", async () => {
    expect(await warningsOfStart({ extension: "no_such_extension", name: "never" })).toMatchObject([
      { schema: "product", extension: "no_such_extension", index: "never" },
    ]);
    expect(await listProducts(database.sql, filterOf("teapot"), page)).toHaveLength(21);
  });
});

describe("an index whose table is in use for too long", () => {
  it("does not prevent a start, and is created by the next one", async () => {
    const index = { extension: "plpgsql", name: "later" };
    await db.sql.begin(async (tx) => {
      await tx`lock table product.product in row exclusive mode`;
      expect(await warningsOfStart(index)).toMatchObject([{ index: "later", code: "55P03" }]);
    });
    expect(await warningsOfStart(index)).toEqual([]);
    expect(await db.sql`select 1 as found from pg_indexes where indexname = 'later'`).toEqual([{ found: 1 }]);
  });
});
