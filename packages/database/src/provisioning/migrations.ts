import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { MigrationMeta } from "drizzle-orm/migrator";
import postgres from "postgres";
import type { Database } from "../connection/connection.ts";
import { MigrationsDiffer, TooOldCode } from "../connection/errors.ts";
import { clientAt } from "../connection/server-address.ts";
import { drizzle, readMigrationFiles } from "../drizzle.ts";
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
 * word: here that is `MigrationsDiffer`. A migration that contracts says `-- oldest-code: N` in its SQL, N being the
 * number of migrations that code must know of to run once it is applied. It waits for `contract`, which an operator
 * gives when no older replica runs; only a new schema has it at once. Until then older and newer code run side by side,
 * and a schema that newer code has migrated is left as it is. From then on older code gets `TooOldCode`.
 */
export async function migrateSchema(owner: string, spec: SchemaSpec, contract: boolean): Promise<void> {
  const written = readMigrations(spec);
  const connection = { application_name: "rialto-migrate", search_path: `"${spec.name}"`, lock_timeout: 10_000 };
  const client = postgres(...clientAt(owner, { max: 1, onnotice: () => undefined, connection }));
  try {
    const applied = await appliedHashes(client);
    const held = contract || applied.size === 0 ? written.length : firstHeld(spec, written, applied);
    const due = written.slice(0, held);
    await apply(client, spec, held);
    await client`create table if not exists compatibility
      (one_row boolean primary key default true check (one_row), oldest_code integer not null)`;
    // Identifies the installation, also after a restore elsewhere. Redis holds the same mark for comparison.
    await client`alter table compatibility add column if not exists installation uuid not null default gen_random_uuid()`;
    const oldestCode = Math.max(0, ...due.map((migration) => migration.oldestCode));
    await client`insert into compatibility (oldest_code) values (${oldestCode})
      on conflict (one_row) do update set oldest_code = greatest(compatibility.oldest_code, excluded.oldest_code)`;
    await compare(client, spec, { due, knownCount: written.length });
  } finally {
    await client.end({ timeout: 3 });
  }
}

/**
 * Checks as the runtime role that this code may run on a schema that others migrate. Throws `MigrationsDiffer` where a
 * migration is missing that the code needs, and `TooOldCode` where the schema has dropped what it uses.
 */
export async function requireSchema({ sql }: Pick<Database, "sql">, spec: SchemaSpec): Promise<void> {
  const written = readMigrations(spec);
  const applied = await appliedHashes(sql);
  if (applied.size === 0)
    throw new MigrationsDiffer(`Schema ${spec.name} is not migrated: run npm run migrate with this version first.`);
  const due = written.slice(0, firstHeld(spec, written, applied));
  await compare(sql, spec, { due, knownCount: written.length });
}

/** The position of the first contracting migration that waits, or of the end. What follows it would need it. */
function firstHeld(spec: SchemaSpec, written: readonly Migration[], applied: ReadonlySet<string>): number {
  const waits = (migration: Migration) => migration.oldestCode > 0 && !applied.has(migration.hash);
  const first = written.findIndex(waits);
  if (first === -1) return written.length;
  const next = written.slice(first).find((migration) => !waits(migration));
  if (next !== undefined)
    throw new MigrationsDiffer(
      `Schema ${spec.name}: migration ${next.tag} follows ${written[first]?.tag}, which drops what older code uses and is not applied yet. Before this version is deployed, and when no older replica runs any more, run npm run migrate -- --contract with the version that runs now.`,
    );
  return first;
}

/** Applies the first `count` migrations, those that are not applied yet. */
async function apply(client: postgres.Sql, spec: SchemaSpec, count: number): Promise<void> {
  const config = {
    migrationsFolder: fileURLToPath(spec.migrations),
    migrationsSchema: spec.name,
    migrationsTable: ledger,
  };
  const files = readMigrationFiles(config).slice(0, count);
  // What drizzle's `migrate` calls for a whole folder. Its types hide both members.
  const { dialect, session } = drizzle(client) as unknown as {
    readonly dialect: { migrate(files: MigrationMeta[], session: unknown, config: object): Promise<void> };
    readonly session: unknown;
  };
  await dialect.migrate(files, session, config);
}

/** The hashes in the ledger; none in a new schema, which has no ledger yet. */
async function appliedHashes(client: postgres.Sql): Promise<ReadonlySet<string>> {
  const [found] = await client<{ ledger: string | null }[]>`select to_regclass(${ledger})::text as ledger`;
  if (found?.ledger == null) return new Set();
  const rows = await client<{ hash: string }[]>`select hash from ${client(ledger)}`;
  return new Set(rows.map(({ hash }) => hash));
}

async function compare(
  client: postgres.Sql,
  spec: SchemaSpec,
  { due, knownCount }: { readonly due: readonly Migration[]; readonly knownCount: number },
): Promise<void> {
  const hashes = await appliedHashes(client);
  const missing = due.find((migration) => !hashes.has(migration.hash));
  if (missing !== undefined) {
    const reason = `migration ${missing.tag} is not applied as it is written (newer than what npm run migrate was run with, edited since, or merged out of order)`;
    throw new MigrationsDiffer(`Schema ${spec.name}: ${reason}.`);
  }
  const [row] = await client<{ oldest_code: number }[]>`select oldest_code from compatibility`;
  if (row !== undefined && row.oldest_code > knownCount) {
    const known = `needs code that knows ${row.oldest_code} migrations, this one knows ${knownCount}`;
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
