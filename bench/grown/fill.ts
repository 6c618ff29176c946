import type postgres from "postgres";
import { functions, tableRows } from "./rows.ts";

/** Workers that build one index, beside the session itself. */
const indexWorkers = 1;

/**
 * Fills the tables of all schemas with so many orders, and makes statistics. Indexes beside the primary keys are built
 * when the rows are there. It takes some minutes for a million.
 */
export async function fill(
  sql: postgres.Sql,
  o: { readonly orders: number; readonly passwordHash: string; readonly print: (line: string) => void },
): Promise<void> {
  const tables = tableRows({ orders: o.orders, nowMs: Date.now(), passwordHash: o.passwordHash });
  const connection = await sql.reserve();
  try {
    await connection.unsafe(functions(o.orders));
    // Of a superuser: no foreign keys are checked.
    await connection.unsafe(`set session_replication_role = replica; set maintenance_work_mem = '512MB';
      set max_parallel_maintenance_workers = ${indexWorkers}; set synchronous_commit = off; set work_mem = '64MB'`);
    for (const { table, insert } of tables) {
      const from = performance.now();
      const indexes = await indexesOf(connection, table);
      for (const { name } of indexes) await connection.unsafe(`drop index ${name}`);
      await connection.unsafe(`insert into ${table} ${insert}`);
      for (const { definition } of indexes) await connection.unsafe(definition);
      await connection.unsafe(`vacuum (freeze, analyze) ${table}`);
      o.print(`  ${table}: ${Math.round((performance.now() - from) / 1_000)} s`);
    }
    await connection.unsafe("drop schema grown cascade");
  } finally {
    connection.release();
  }
}

interface Index {
  readonly name: string;
  readonly definition: string;
}

/** The indexes that belong to no constraint. */
async function indexesOf(sql: postgres.ReservedSql, table: string): Promise<readonly Index[]> {
  return await sql<Index[]>`
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition from pg_index i
    where i.indrelid = ${table}::regclass and not exists (select from pg_constraint where conindid = i.indexrelid)
      and not i.indisunique`;
}
