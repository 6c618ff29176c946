import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import type { Database } from "../connection/connection.ts";
import { MigrationsDiffer, TooOldCode } from "../connection/errors.ts";
import { clientAt } from "../connection/server-address.ts";
import type { ExtensionIndex } from "./extension-indexes.ts";
import type { TableRights } from "./table-rights.ts";

/** A schema and the folder of its migrations, written by drizzle-kit. */
export interface SchemaSpec {
  /** The name of the schema and of the service. */
  readonly name: string;
  readonly migrations: URL;
  /** Restrictions of the runtime role, by table name. */
  readonly rights?: Readonly<Record<string, TableRights>>;
  /** Optional indexes that need an extension. */
  readonly indexes?: readonly ExtensionIndex[];
}

interface Migration {
  readonly tag: string;
  readonly hash: string;
  /** How many of the schema's migrations code must know to run after this one. */
  readonly oldestCode: number;
}

const ledger = "__drizzle_migrations";

/**
 * Applies a schema's pending migrations, as the schema's owner, and checks that what is applied is what is written.
 *
 * Drizzle skips a migration that is older than the newest applied one (two branches merged out of order) without a
 * word: here that is `MigrationsDiffer`. A schema that newer code has migrated is left as it is, if that code said that
 * ours may run beside it: a migration that contracts says `-- oldest-code: N` in its SQL, N being the number of
 * migrations that code must know of. Older code gets `TooOldCode`.
 */
export async function migrateSchema(owner: string, spec: SchemaSpec): Promise<void> {
  const written = readMigrations(spec);
  const connection = { application_name: "rialto-migrate", search_path: `"${spec.name}"`, lock_timeout: 10_000 };
  const client = postgres(...clientAt(owner, { max: 1, onnotice: () => undefined, connection }));
  try {
    await applyMigrations(drizzle(client), {
      migrationsFolder: fileURLToPath(spec.migrations),
      migrationsSchema: spec.name,
      migrationsTable: ledger,
    });
    await client`create table if not exists compatibility
      (one_row boolean primary key default true check (one_row), oldest_code integer not null)`;
    // Identifies the installation, also after a restore elsewhere. Redis holds the same mark for comparison.
    await client`alter table compatibility add column if not exists installation uuid not null default gen_random_uuid()`;
    const oldestCode = Math.max(0, ...written.map((migration) => migration.oldestCode));
    await client`insert into compatibility (oldest_code) values (${oldestCode})
      on conflict (one_row) do update set oldest_code = greatest(compatibility.oldest_code, excluded.oldest_code)`;
    await compare(client, spec, written);
  } finally {
    await client.end({ timeout: 3 });
  }
}

async function compare(client: postgres.Sql, spec: SchemaSpec, written: readonly Migration[]): Promise<void> {
  const applied = await client<{ hash: string }[]>`select hash from ${client(ledger)}`;
  const hashes = new Set(applied.map((row) => row.hash));
  const missing = written.find((migration) => !hashes.has(migration.hash));
  if (missing !== undefined) {
    const reason = `migration ${missing.tag} is not applied as it is written (edited since, or merged out of order)`;
    throw new MigrationsDiffer(`Schema ${spec.name}: ${reason}.`);
  }
  const [row] = await client<{ oldest_code: number }[]>`select oldest_code from compatibility`;
  if (row !== undefined && row.oldest_code > written.length) {
    const known = `needs code that knows ${row.oldest_code} migrations, this one knows ${written.length}`;
    throw new TooOldCode(`Schema ${spec.name} was migrated by newer code and ${known}: deploy the newer code.`);
  }
}

function readMigrations(spec: SchemaSpec): Migration[] {
  const read = (path: string) => readFileSync(new URL(path, `${spec.migrations.href.replace(/\/?$/, "/")}`), "utf8");
  const journal: { entries: { tag: string }[] } = JSON.parse(read("meta/_journal.json"));
  return journal.entries.map(({ tag }) => {
    const text = read(`${tag}.sql`);
    const oldest = /^-- oldest-code: (\d+)/m.exec(text)?.[1];
    // The hash is the one that Drizzle writes into its ledger.
    const hash = createHash("sha256").update(text).digest("hex");
    return { tag, hash, oldestCode: oldest === undefined ? 0 : Number(oldest) };
  });
}

/** Returns the installation of a schema; undefined where the version that migrated it last did not record it. */
export async function installationOf({ sql }: Pick<Database, "sql">): Promise<string | undefined> {
  const [row] = await sql<{ installation: string | null }[]>`
    select to_jsonb(compatibility) ->> 'installation' as installation from compatibility`;
  return row?.installation ?? undefined;
}

/** The tables of applied migrations. A runtime role reads them. */
export const ledgerRights: Readonly<Record<string, TableRights>> = {
  [ledger]: "read-only",
  compatibility: "read-only",
};
