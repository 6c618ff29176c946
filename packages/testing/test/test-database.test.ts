import { openDatabase } from "@rialto/database";
import { describe, expect, it } from "vitest";
import { testDatabase } from "../src/index.ts";

const schemas = ["left", "right"].map((name) => ({ name, migrations: new URL("migrations", import.meta.url) }));

describe("testDatabase", () => {
  it("gives each file a migrated database of its own", async () => {
    const [one, other] = await Promise.all([testDatabase({ schemas }), testDatabase({ schemas })]);
    await one.database("left").sql`insert into note (id, text) values (1, 'mine')`;
    expect(await one.database("left").sql`select text from note`).toEqual([{ text: "mine" }]);
    expect(await one.sql`select 1 from "right".note`).toEqual([]);
    expect(await other.database("left").sql`select text from note`).toEqual([]);
    await Promise.all([one.close(), other.close()]);
  });

  it("connects as the runtime role, which cannot leave its schema", async () => {
    const db = await testDatabase({ schemas });
    await expect(db.database("left").sql`select 1 from "right".note`).rejects.toMatchObject({ code: "42501" });
    await db.close();
  });

  it("names a pool that the test left open", async () => {
    const db = await testDatabase({ schemas });
    const forgotten = openDatabase({ url: db.urlOf("left"), schema: "left", service: "forgotten" });
    await forgotten.sql`select 1`;
    await expect(db.close()).rejects.toThrow("rialto-forgotten");
    await forgotten.close();
  });
});
