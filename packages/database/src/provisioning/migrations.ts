import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type postgres from "postgres";
import type { Database } from "../connection/connection.ts";
import { MigrationBlocked, MigrationsDiffer, TooOldCode } from "../connection/errors.ts";
import { codeOf } from "../connection/outage.ts";
import type { ExtensionIndex } from "./extension-indexes.ts";
import { quoted } from "./script.ts";
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
  readonly text: string;
  /** When it was written, in milliseconds. */
  readonly time: number;
  readonly hash: string;
  /** How many of the schema's migrations code must know to run after this one. */
  readonly oldestCode: number;
}

/** A pool or a transaction whose search path is the schema. */
type SchemaSql = postgres.ISql<{ bigint: bigint }>;

const ledger = "__drizzle_migrations";
const breakpoint = "--> statement-breakpoint";
/** A lock was waited for as long as it may be. */
const lockNotAvailable = "55P03";

/**
 * Applies a schema's pending migrations, as the schema's owner, and checks that what is applied is what is written. All
 * of them are one transaction, the given one, and travel together.
 *
 * The ledger is Drizzle's, and a migration that is older than the newest applied one (two branches merged out of order)
 * is not applied, as Drizzle does it: here that is `MigrationsDiffer`. A migration that contracts says `-- oldest-code:
 * N` in its SQL, N being the number of migrations that code must know of to run once it is applied. It waits for
 * `contract`, which an operator gives when no older replica runs; only a new schema has it at once. Until then older
 * and newer code run side by side, and a schema that newer code has migrated is left as it is. From then on older code
 * gets `TooOldCode`.
 */
export async function migrateSchema(tx: SchemaSql, spec: SchemaSpec, contract: boolean): Promise<void> {
  const written = readMigrations(spec);
  const state = await readLedger(tx);
  const { applied, newest } = state;
  const held = contract || applied.size === 0 ? written.length : firstHeld(spec, written, applied);
  const due = written.slice(0, held);
  const pending = due.filter(({ time }) => newest === undefined || time > newest);
  const after = {
    applied: new Set([...applied, ...pending.map(({ hash }) => hash)]),
    oldestCode: Math.max(0, state.oldestCode ?? 0, ...due.map(({ oldestCode }) => oldestCode)),
  };
  compare(after, spec, { due, knownCount: written.length });
  const isRecorded = state.hasInstallation && state.oldestCode === after.oldestCode;
  if (pending.length === 0 && isRecorded) return;
  // A migration may change the search path.
  const inSchema = quoted(spec.name);
  const ofLedger = (statement: string) => ({ statement, tag: "of the ledger" });
  const messages = [
    ofLedger(`create table if not exists ${inSchema}.${ledger}
      (id serial primary key, hash text not null, created_at bigint)`),
    ...pending.flatMap((migration) => messagesOf(migration, inSchema)),
    ofLedger(compatibilityScript(inSchema, after.oldestCode)),
  ];
  // Each is sent as it is asked for, and all before the first is answered.
  await Promise.all(
    messages.map(({ statement, tag }) =>
      tx.unsafe(statement).catch((cause: unknown) => {
        throw failureOf(cause, spec.name, tag);
      }),
    ),
  );
}

/**
 * The statements of a migration and its entry in the ledger, each a message of its own: where this process is killed,
 * the server ends at the next one and lets its locks go.
 */
function messagesOf({ tag, text, hash, time }: Migration, inSchema: string) {
  const entry = `insert into ${inSchema}.${ledger} (hash, created_at) values ('${hash}', ${time})`;
  const statements = text.split(breakpoint).filter((statement) => statement.trim() !== "");
  return [...statements, entry].map((statement) => ({ statement, tag }));
}

/** What a person is told of a statement that failed. A lost connection, and a server that has no room, say it alone. */
function failureOf(cause: unknown, schema: string, tag: string): unknown {
  const code = codeOf(cause);
  if (code === lockNotAvailable) return new MigrationBlocked(schema, tag);
  const isOfStatement = /^(?!08|53|57)[0-9A-Z]{5}$/.test(code);
  if (!isOfStatement || !(cause instanceof Error)) return cause;
  return new Error(`Schema ${schema}: migration ${tag} failed: ${cause.message} (${code})`);
}

/** `installation` identifies the installation, also after a restore elsewhere. Redis holds the same mark to compare. */
function compatibilityScript(inSchema: string, oldestCode: number): string {
  return `
    create table if not exists ${inSchema}.compatibility
      (one_row boolean primary key default true check (one_row), oldest_code integer not null);
    alter table ${inSchema}.compatibility add column if not exists installation uuid not null default gen_random_uuid();
    insert into ${inSchema}.compatibility (oldest_code) values (${oldestCode})
      on conflict (one_row) do update set oldest_code = greatest(compatibility.oldest_code, excluded.oldest_code)`;
}

/**
 * Checks as the runtime role that this code may run on a schema that others migrate. Throws `MigrationsDiffer` where a
 * migration is missing that the code needs, and `TooOldCode` where the schema has dropped what it uses.
 */
export async function requireSchema({ sql }: Pick<Database, "sql">, spec: SchemaSpec): Promise<void> {
  const written = readMigrations(spec);
  const state = await readLedger(sql);
  if (state.applied.size === 0)
    throw new MigrationsDiffer(`Schema ${spec.name} is not migrated: run npm run migrate with this version first.`);
  const due = written.slice(0, firstHeld(spec, written, state.applied));
  compare(state, spec, { due, knownCount: written.length });
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

/** What a schema says of its migrations. */
interface Ledger {
  /** The hashes of the applied migrations; none in a new schema, which has no ledger yet. */
  readonly applied: ReadonlySet<string>;
  /** When the newest of them was written. */
  readonly newest: number | undefined;
  /** Undefined where no version has recorded it yet. */
  readonly oldestCode: number | undefined;
  readonly hasInstallation: boolean;
}

async function readLedger(sql: SchemaSql): Promise<Ledger> {
  const [there] = await sql<{ ledger: boolean; compatibility: boolean; installation: boolean }[]>`
    select to_regclass(${ledger}) is not null as ledger, to_regclass('compatibility') is not null as compatibility,
      exists (select from pg_attribute
        where attrelid = to_regclass('compatibility') and attname = 'installation') as installation`;
  const [rows, [compatibility]] = await Promise.all([
    there?.ledger === true
      ? sql<{ hash: string; time: number }[]>`select hash, created_at::float8 as time from ${sql(ledger)}`
      : [],
    there?.compatibility === true
      ? sql<{ oldestCode: number }[]>`select oldest_code as "oldestCode" from compatibility`
      : [],
  ]);
  return {
    applied: new Set(rows.map(({ hash }) => hash)),
    newest: rows.length === 0 ? undefined : Math.max(...rows.map(({ time }) => time)),
    oldestCode: compatibility?.oldestCode,
    hasInstallation: there?.installation === true,
  };
}

function compare(
  { applied, oldestCode = 0 }: Pick<Ledger, "applied" | "oldestCode">,
  spec: SchemaSpec,
  { due, knownCount }: { readonly due: readonly Migration[]; readonly knownCount: number },
): void {
  const missing = due.find((migration) => !applied.has(migration.hash));
  if (missing !== undefined) {
    const reason = `migration ${missing.tag} is not applied as it is written (newer than what npm run migrate was run with, edited since, or merged out of order)`;
    throw new MigrationsDiffer(`Schema ${spec.name}: ${reason}.`);
  }
  if (oldestCode > knownCount) {
    const known = `needs code that knows ${oldestCode} migrations, this one knows ${knownCount}`;
    throw new TooOldCode(`Schema ${spec.name} was migrated by newer code and ${known}: deploy the newer code.`);
  }
}

function readMigrations(spec: SchemaSpec): Migration[] {
  const read = (path: string) => readFileSync(new URL(path, `${spec.migrations.href.replace(/\/?$/, "/")}`), "utf8");
  const journal: { entries: { tag: string; when: number }[] } = JSON.parse(read("meta/_journal.json"));
  return journal.entries.map(({ tag, when }) => {
    const text = read(`${tag}.sql`);
    const oldest = /^-- oldest-code: (\d+)/m.exec(text)?.[1];
    // The hash is the one that Drizzle writes into its ledger.
    const hash = createHash("sha256").update(text).digest("hex");
    return { tag, text, time: when, hash, oldestCode: oldest === undefined ? 0 : Number(oldest) };
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
