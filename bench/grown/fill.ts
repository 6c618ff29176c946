import type postgres from "postgres";
import { functions, sourceTable, tableRows } from "./rows.ts";

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
  const { orders, passwordHash } = o;
  const nowMs = Date.now();
  const connection = await sql.reserve();
  try {
    await connection.unsafe(functions(orders));
    // Of a superuser: no foreign keys are checked.
    await connection.unsafe(`set session_replication_role = replica; set maintenance_work_mem = '512MB';
      set max_parallel_maintenance_workers = ${indexWorkers}; set synchronous_commit = off; set work_mem = '64MB';
      set auto_explain.log_min_duration = -1`);
    await connection.unsafe(sourceTable({ orders, nowMs }));
    for (const { table, insert } of tableRows({ orders, nowMs, passwordHash })) {
      const from = performance.now();
      const indexes = await indexesOf(connection, table);
      const steps = [
        ...((await isNew(connection, table)) ? [`truncate ${table}`] : []),
        ...indexes.map(({ name }) => `drop index ${name}`),
        `insert into ${table} ${insert}`,
        ...indexes.map(({ definition }) => definition),
      ];
      // What is written to a table in the transaction that truncated it needs no WAL, where that is minimal.
      await connection.unsafe(`begin; ${steps.join("; ")}; commit`);
      await connection.unsafe(`vacuum (freeze, analyze) ${table}`);
      o.print(`  ${table}: ${Math.round((performance.now() - from) / 1_000)} s`);
    }
    await connection.unsafe("drop schema grown cascade");
  } finally {
    connection.release();
  }
}

/** Whether the table may be truncated: it has no rows, and no other refers to it. */
async function isNew(sql: postgres.ReservedSql, table: string): Promise<boolean> {
  const [row] = await sql.unsafe<{ isNew: boolean }[]>(
    `select not exists (select from ${table}) and not exists (
      select from pg_constraint where contype = 'f' and confrelid = '${table}'::regclass) as "isNew"`,
  );
  return row?.isNew === true;
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
