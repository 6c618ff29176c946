import type { Sql } from "@rialto/database";

/**
 * Returns how often prepared statements that contain this text were executed so far. The pool must have one connection:
 * Postgres counts for each session by itself.
 */
export async function executionsOf(sql: Sql, text: string): Promise<number> {
  if (sql.options.max !== 1) throw new Error("the executions of a pool of one connection can be counted");
  const [row] = await sql<{ count: number }[]>`
    select coalesce(sum(generic_plans + custom_plans), 0)::int as count from pg_prepared_statements
    where position(${text} in statement) > 0 and position('pg_prepared_statements' in statement) = 0`;
  return row?.count ?? 0;
}
