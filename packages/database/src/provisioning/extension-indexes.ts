import type { Logger } from "@rialto/telemetry";
import type { Sql } from "../connection/connection.ts";
import { codeOf, isOutage } from "../connection/outage.ts";
import { quoted } from "./script.ts";

/** An optional index for speed, of a type that an extension provides. */
export interface ExtensionIndex {
  /** The extension. It is created in the schema if the database does not have it. */
  readonly extension: string;
  readonly name: string;
  /** What is indexed, and how: "product using gin (search_text gin_trgm_ops)". */
  readonly on: string;
}

/** How long a start waits for transactions that write to the table. */
const lockMsMax = 10_000;
const lockNotAvailable = "55P03";

/**
 * Creates the missing indexes, as the schema's owner. Without the extension, or the right to create it, or while the
 * table is busy, the start goes on: one log line says what is slow, and the next start tries again.
 *
 * This is not a migration, because a migration is applied everywhere or nowhere. The index is not built CONCURRENTLY:
 * that would wait for every other start, which waits for this one.
 */
export async function makeExtensionIndexes(o: {
  readonly admin: Sql;
  readonly owner: Sql;
  readonly schema: string;
  readonly indexes: readonly ExtensionIndex[];
  readonly log: Logger;
}): Promise<void> {
  for (const index of o.indexes) {
    try {
      await makeExtensionIndex(o, index);
    } catch (error) {
      const code = codeOf(error);
      const isInUse = code === lockNotAvailable;
      if (isOutage(error) && !isInUse) throw error;
      const why = isInUse
        ? "index not created, because its table was busy for too long: searches read whole tables until the next start"
        : "extension of Postgres not available: searches read whole tables";
      o.log.warn({ schema: o.schema, extension: index.extension, index: index.name, code }, why);
    }
  }
}

async function makeExtensionIndex(
  { admin, owner, schema }: Parameters<typeof makeExtensionIndexes>[0],
  { extension, name, on }: ExtensionIndex,
): Promise<void> {
  const [found] = await owner`select 1 from pg_indexes where schemaname = ${schema} and indexname = ${name}`;
  if (found !== undefined) return;
  await admin`create extension if not exists ${admin(extension)} schema ${admin(schema)}`;
  const [place] = await admin<{ schema: string }[]>`
    select nspname as schema from pg_extension join pg_namespace n on n.oid = extnamespace where extname = ${extension}`;
  await owner.begin(async (tx) => {
    await tx`select set_config('search_path', format('%I, %I', ${schema}::text, ${place?.schema ?? schema}::text), true),
      set_config('lock_timeout', ${String(lockMsMax)}, true)`;
    await tx.unsafe(`create index if not exists ${quoted(name)} on ${on}`);
  });
}
