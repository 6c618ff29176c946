import { openDatabase } from "@rialto/database";
import { executionsOf, type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProductStore, insertProduct } from "../src/product/store.ts";
import { product as service } from "../src/service.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
});
afterAll(() => db.close());

function openStore() {
  const url = db.urlOf("product");
  const { sql, close } = openDatabase({ url, schema: "product", service: "product", connectionsMax: 1 });
  const product = async (name: string) => {
    const id = uuidv7();
    const at = new Date();
    const one = { name, description: "", category: "", price: 1250n, currency: "EUR", active: true };
    await sql.begin((tx) => insertProduct(tx, { id, ...one, createTime: at, updateTime: at }));
    return id;
  };
  return {
    store: createProductStore({ sql }),
    sql,
    product,
    close,
    statements: () => executionsOf(sql, "from product"),
  };
}

describe("products that are read at the same moment", () => {
  it("are read by one statement, each for who asked", async () => {
    const { store, product, statements, close } = openStore();
    const names = Array.from({ length: 10 }, (_, n) => `Product ${n}`);
    const ids = await Promise.all(names.map(product));
    const before = await statements();
    const asked = ids.map((id, n) => store.byIds([id, uuidv7(), ids[(n + 1) % ids.length] ?? ""]));
    const found = (await Promise.all(asked)).map((products) => products.map(({ name }) => name));
    expect(found).toEqual(names.map((name, n) => [name, names[(n + 1) % names.length]]));
    expect((await statements()) - before).toBe(1);
    await close();
  });

  it("are in the order in which they were asked for, however many statements they take", async () => {
    const { store, product, statements, close } = openStore();
    const [first, last] = await Promise.all([product("first"), product("last")]);
    const before = await statements();
    const ids = [last, ...Array.from({ length: 400 }, () => uuidv7()), first];
    expect((await store.byIds(ids)).map(({ name }) => name)).toEqual(["last", "first"]);
    expect((await statements()) - before).toBe(2);
    await close();
  });

  it("are not those of an earlier moment: a price that changed between two reads is seen by the second", async () => {
    const { store, product, close } = openStore();
    const id = await product("Teapot");
    const first = store.byIds([id]);
    await new Promise((resolve) => setImmediate(resolve));
    await db.sql`update product.product set price = 1300 where id = ${id}`;
    expect((await store.byIds([id]))[0]?.price).toBe(1300n);
    await first;
    await close();
  });
});
