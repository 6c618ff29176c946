import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database, Sql } from "@rialto/database";
import { createClient } from "@rialto/rpc";
import { type App, connectionsNeeded, readConfig, type ServiceDefinition } from "@rialto/service";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

const page = readFileSync(new URL("../../../docs/requirements.md", import.meta.url), "utf8");
/** The cells of each row of a table of the page. */
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").map((cell) => cell.trim()));

/** A service as it is opened in a process of its own. */
interface Opened {
  readonly databases: readonly Database[];
  readonly subscriptions: number;
  stop(): Promise<void>;
}

let db: TestDatabase;
let folder: string;
const opened = new Map<string, Opened>();
beforeAll(async () => {
  db = await testDatabase({ schemas: services.flatMap(({ schemas }) => schemas) });
  folder = mkdtempSync(join(tmpdir(), "rialto-connections-"));
  for (const service of services) opened.set(service.name, await open(service));
});
afterAll(async () => {
  for (const service of opened.values()) await service.stop();
  await db.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(service: ServiceDefinition): Promise<Opened> {
  const { name } = service;
  const unreachable = () => {
    throw new Error("no service is called here");
  };
  const names = { caller: name, target: "others", tokens: { for: async () => name } };
  const clients = Object.entries(service.calls).map(([called, contract]) => [
    called,
    createClient(contract, { kind: "local", endpoint: unreachable, checksMessages: true }, names),
  ]);
  const app: App = {
    ...{ name, calls: Object.fromEntries(clients), database: db.database(name), log: quietLogger },
    config: readConfig({ RIALTO_DATA_DIR: folder, RIALTO_RATE_LIMIT: "0" }),
    extra: (schema) => db.database(schema),
    derivedKey: (purpose) => purpose,
    now: () => new Date(),
    wakeRelay: () => undefined,
    addStartupNotice: () => undefined,
  };
  const running = await service.open(app);
  return {
    databases: service.schemas.map((schema) => db.database(schema.name)),
    subscriptions: running.subscriptions.length,
    stop: () => running.stop(),
  };
}

/** What the docs say of these processes together: with Redis, and with jobs on Postgres. */
function documented(process: string): readonly number[] {
  const row = rows.find((cells) => cells[1] === process);
  return row?.slice(3, 5).map(Number) ?? [];
}

/** What one process with these services opens. */
function needed(names: readonly string[]): readonly [number, number] {
  const parts = names.map((name) => opened.get(name)).filter((part) => part !== undefined);
  const databases = parts.flatMap((part) => part.databases);
  const subscriptions = parts.reduce((sum, part) => sum + part.subscriptions, 0);
  return [
    connectionsNeeded({ databases, subscriptionsOnPostgres: undefined }),
    connectionsNeeded({ databases, subscriptionsOnPostgres: subscriptions }),
  ];
}

function sumOf(names: readonly string[]): readonly number[] {
  const each = names.map((name) => needed([name]));
  return [0, 1].map((at) => each.reduce((sum, counts) => sum + (counts[at] ?? 0), 0));
}

const all = services.map(({ name }) => name);

describe("the connections in docs/requirements.md", () => {
  it.each(all)("are those that the process of the %s service opens", (name) => {
    expect(documented(name)).toEqual(needed([name]));
  });

  it("are those that one process with everything opens", () => {
    expect(documented("everything in one")).toEqual(needed(all));
  });

  it("are summed up for one process of each, and for more replicas of the order path", () => {
    expect(documented("one of each")).toEqual(sumOf(all));
    expect(documented("one of each, and two more of order and payment")).toEqual(
      sumOf([...all, "order", "payment", "order", "payment"]),
    );
  });

  it("of each pool are those that it has", () => {
    const pools = all.flatMap((name) =>
      (opened.get(name)?.databases ?? []).map(({ schema, connectionsMax }) => [schema, connectionsMax]),
    );
    const listed = rows.filter((cells) => /^schema `/.test(cells[1] ?? ""));
    expect(listed.map((cells) => [cells[1]?.slice("schema `".length, -1), Number(cells[5])])).toEqual(pools);
    expect(listed.map((cells) => [2, 3, 4].reduce((sum, at) => sum + Number(cells[at]), 0))).toEqual(
      listed.map((cells) => Number(cells[5])),
    );
  });
});

/** What a session sets itself, apart from names and what the driver needs. */
async function settingsOf(sql: Sql): Promise<readonly (readonly string[])[]> {
  const set = await sql<{ name: string; value: string }[]>`
    select name, current_setting(name) as value from pg_settings
    where source = 'client' and name not in ('application_name', 'search_path', 'TimeZone', 'client_encoding', 'DateStyle')
    order by name`;
  return set.map(({ name, value }) => [`\`${name}\``, value]);
}

describe("the settings of sessions in docs/requirements.md", () => {
  it.each([
    ["main", ({ sql }: Database) => sql],
    ["writers", ({ writers }: Database) => writers],
  ] as const)("are those of the %s", async (pool, of) => {
    const listed = rows.filter((cells) => cells[1] === pool).map((cells) => cells.slice(2, 4));
    expect(listed.toSorted()).toEqual((await settingsOf(of(db.database("order")))).toSorted());
  });
});
