import { readFileSync } from "node:fs";
import { ownerUrl } from "@rialto/database";
import { migrateJobs } from "@rialto/events";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

const page = readFileSync(new URL("../../../docs/growth.md", import.meta.url), "utf8");

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ schemas: services.flatMap(({ schemas }) => schemas), jobs: true });
  await migrateJobs(await ownerUrl(db.adminUrl, "jobs", db.secret));
});
afterAll(() => db.close());

describe("the table of docs/growth.md", () => {
  it("says of every table whether it grows, and why it does not grow for ever", async () => {
    const rows = await db.sql<{ name: string }[]>`
      select schemaname || '.' || tablename as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema', 'public') and tablename not like '\\_\\_%' order by 1`;
    expect([...documented().keys()].toSorted()).toEqual(rows.map(({ name }) => name).toSorted());
  });

  it("has a sweep for each table that grows and is not kept on purpose", () => {
    for (const [table, { grows, end }] of documented()) {
      expect(grows, table).toMatch(/^(with orders|with people|with replicas|not)$/);
      expect(end, table).toMatch(grows === "not" ? /^bounded: / : /^(swept: |kept: |bounded: )/);
    }
  });
});

/** The tables that the page names, by schema and name. */
function documented(): ReadonlyMap<string, { readonly grows: string; readonly end: string }> {
  const lines = page.split("\n").filter((line) => /^\| `[a-z_]+\.[a-z_, ]+` \|/.test(line));
  return new Map(
    lines.flatMap((line) => {
      const [, names = "", grows = "", , end = ""] = line.split("|").map((cell) => cell.trim());
      const [schema, tables = ""] = names.replaceAll("`", "").split(".");
      return tables.split(", ").map((table) => [`${schema}.${table}`, { grows, end }] as const);
    }),
  );
}
