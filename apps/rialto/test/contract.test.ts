import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { provision, type SchemaSpec, TooOldCode } from "@rialto/database";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await testDatabase({ schemas: [] });
  folder = mkdtempSync(join(tmpdir(), "rialto-migrations-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await database.close();
});

describe("tables that only the version before uses", () => {
  it("stay while both versions run, go with `migrate --contract`, and the version before is refused then", async () => {
    const newer = services.flatMap(({ schemas }) => schemas);
    const older = newer.map(withoutDrop);
    const start = (schemas: readonly SchemaSpec[], contract = false) =>
      provision({ adminUrl: database.adminUrl, secret: database.secret, schemas, contract, log: quietLogger });
    await start(older);
    const tablesBefore = await tables();
    for (const version of [newer, older, newer, older]) await start(version);
    expect(await tables()).toEqual(tablesBefore);

    await start(newer, true);
    const left = await tables();
    expect(tablesBefore.filter((table) => !left.includes(table))).toEqual(dropped);
    await start(newer);
    for (const schema of ["order", "payment", "product", "notification"])
      await expect(start(older.filter(({ name }) => name === schema))).rejects.toBeInstanceOf(TooOldCode);
    // Nothing was dropped here, so the version before still runs beside it.
    await start(older.filter(({ name }) => name === "user"));
  });
});

const dropped = [
  "notification.batch",
  "notification.delivery",
  "notification.inbox_cursor",
  "notification.outbox",
  "notification.registration",
  "order.inbox_cursor",
  "payment.inbox",
  "payment.inbox_cursor",
  "payment.inbox_pause",
  "payment.inbox_pending",
  "product.batch",
  "product.delivery",
  "product.inbox",
  "product.inbox_cursor",
  "product.inbox_pause",
  "product.inbox_pending",
  "product.outbox",
  "product.registration",
];

/** The schema as the version before knew it: without the migration that drops. */
function withoutDrop(spec: SchemaSpec): SchemaSpec {
  const copy = join(folder, spec.name);
  cpSync(fileURLToPath(spec.migrations), copy, { recursive: true });
  const path = join(copy, "meta", "_journal.json");
  const journal: { entries: { tag: string }[] } = JSON.parse(readFileSync(path, "utf8"));
  const entries = journal.entries.filter(({ tag }) => !tag.endsWith("_drop_unused_tables"));
  writeFileSync(path, JSON.stringify({ ...journal, entries }));
  return { ...spec, migrations: pathToFileURL(copy) };
}

async function tables(): Promise<readonly string[]> {
  const rows = await database.sql<{ name: string }[]>`
    select table_schema || '.' || table_name as name from information_schema.tables
    where table_schema in ${database.sql(services.flatMap(({ schemas }) => schemas.map(({ name }) => name)))}
    order by 1`;
  return rows.map(({ name }) => name);
}
