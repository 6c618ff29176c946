import { openDatabase } from "@rialto/database";
import { executionsOf, type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { user as service } from "../src/service.ts";
import { openAccount } from "../src/user/state.ts";
import { createUserStore, insertUser } from "../src/user/store.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
});
afterAll(() => db.close());

async function openStore() {
  const { sql, close } = openDatabase({ url: db.urlOf("user"), schema: "user", service: "user", connectionsMax: 1 });
  const account = async (name: string) => {
    const id = uuidv7();
    const user = openAccount({ id, email: `${id}@example.com`, name, role: "CUSTOMER", at: new Date() });
    await sql.begin((tx) => insertUser(tx, user, "a hash"));
    return id;
  };
  return { store: createUserStore({ sql }), sql, account, close, statements: () => executionsOf(sql, "from account") };
}

describe("accounts that are read at the same moment", () => {
  it("are read by one statement, each for who asked", async () => {
    const { store, account, statements, close } = await openStore();
    const names = Array.from({ length: 12 }, (_, n) => `Customer ${n}`);
    const ids = await Promise.all(names.map(account));
    const before = await statements();
    const found = await Promise.all([...ids, uuidv7(), ids[3] ?? ""].map((id) => store.byId(id)));
    expect(found.map((user) => user?.name)).toEqual([...names, undefined, names[3]]);
    expect((await statements()) - before).toBe(1);
    await close();
  });

  it("are not those of an earlier moment: a change between two reads is seen by the second", async () => {
    const { store, sql, account, close } = await openStore();
    const id = await account("Ada");
    const first = store.byId(id);
    await new Promise((resolve) => setImmediate(resolve));
    await db.sql`update "user".account set name = 'Ada King' where id = ${id}`;
    expect((await store.byId(id))?.name).toBe("Ada King");
    await first;
    await sql`delete from account where id = ${id}`;
    expect(await store.byId(id)).toBeUndefined();
    await close();
  });

  it("do not fail with the one whose id is none", async () => {
    const { store, account, close } = await openStore();
    const id = await account("Grace");
    const [found, refused] = await Promise.allSettled([store.byId(id), store.byId("no id")]);
    expect(found).toMatchObject({ value: { name: "Grace" } });
    expect(refused).toMatchObject({ reason: { code: "22P02" } });
    await close();
  });
});
