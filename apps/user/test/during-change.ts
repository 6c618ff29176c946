import { expect } from "vitest";
import type { Fixture } from "./fixture.ts";

/**
 * Runs `other` in the middle of a change that ends sessions of an account: the account is written, its sessions are not
 * ended yet, and nothing is committed. Returns both results.
 */
export async function duringChange<A, B>(
  { sql }: Pick<Fixture, "sql">,
  accountId: string,
  change: () => Promise<A>,
  other: () => Promise<B>,
): Promise<[A, B]> {
  const { begun } = await sql.begin(async (tx) => {
    // The change waits for these rows; whatever locks the account waits for the change.
    await tx`select 1 from "user".session where account_id = ${accountId} for update`;
    const changing = change();
    await untilWaiting(sql, 1);
    const both = Promise.all([changing, other()]);
    both.catch(() => undefined);
    await untilWaiting(sql, 2);
    // Wrapped in an object, so that the transaction does not await it.
    return { begun: both };
  });
  return begun;
}

/** Resolves when this many sessions of the database wait for a lock. */
async function untilWaiting(sql: Fixture["sql"], sessions: number): Promise<void> {
  const waiting = async () => {
    const rows = await sql`
      select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length;
  };
  await expect.poll(waiting, { interval: 5 }).toBe(sessions);
}
