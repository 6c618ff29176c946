import type { Sql } from "../../src/index.ts";

/** Resolves when so many sessions of this database stand still behind a lock. */
export async function untilWaiting(admin: Sql, sessions = 1): Promise<void> {
  for (;;) {
    const [row] = await admin<{ waiting: number }[]>`
      select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if ((row?.waiting ?? 0) >= sessions) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
