import { expect } from "vitest";
import type { World } from "./user-world.ts";

/**
 * Makes a change of an account that ends sessions of it, and begins something else in the middle: the account is written, its sessions are yet
 * to end, and nothing is committed. Answers what came of both.
 */
export async function midChange<A, B>(
  { sql }: Pick<World, "sql">,
  accountId: string,
  change: () => Promise<A>,
  other: () => Promise<B>,
): Promise<[A, B]> {
  const { begun } = await sql.begin(async (tx) => {
    // The change waits for these; whatever wants the account waits for the change.
    await tx`select 1 from "user".session where account_id = ${accountId} for update`;
    const changing = change();
    await untilWaiting(sql, 1);
    const both = Promise.all([changing, other()]);
    both.catch(() => undefined);
    await untilWaiting(sql, 2);
    // In an object, so that the transaction does not wait for it.
    return { begun: both };
  });
  return begun;
}

/** Resolves when so many sessions of this database wait for a lock. */
async function untilWaiting(sql: World["sql"], sessions: number): Promise<void> {
  const waiting = async () => {
    const rows = await sql`
      select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length;
  };
  await expect.poll(waiting, { interval: 5 }).toBe(sessions);
}
