import { forEachConcurrently } from "@rialto/async";
import type { Sql } from "../connection/connection.ts";

/** A name as SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Sends statements together, which are one transaction then: Postgres takes several in one message for that. */
export async function inOneTransaction(sql: Sql, statements: readonly string[]): Promise<void> {
  if (statements.length > 0) await sql.unsafe(statements.join(";\n"));
}

/** How many sessions of roles are open at once beside the administrator's: a server may have few connections left. */
const sessionsMax = 2;

/**
 * Calls `work` for each item, for a few at a time, and waits until all have ended. Then it throws the error of the
 * first item that failed: what goes on after a failure would do so without the lock.
 */
export async function forEachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const failed = new Map<T, unknown>();
  await forEachConcurrently(items, { max: sessionsMax, signal: new AbortController().signal }, async (item) => {
    await work(item).catch((error: unknown) => failed.set(item, error));
  });
  for (const item of items) if (failed.has(item)) throw failed.get(item);
}
