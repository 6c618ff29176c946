import postgres from "postgres";
import { functions, sourceTable, type TableRows, tableRows } from "./rows.ts";

/** Sessions that fill tables, each one at a time, and workers of each that build one index, beside the session. */
const sessions = 2;
const indexWorkers = 1;

/** Of a superuser: no foreign keys are checked. */
const sessionSettings = `set session_replication_role = replica; set maintenance_work_mem = '512MB';
  set max_parallel_maintenance_workers = ${indexWorkers}; set synchronous_commit = off; set work_mem = '64MB';
  set auto_explain.log_min_duration = -1`;

/**
 * Fills the tables of all schemas with so many orders, and makes statistics. Indexes beside the primary keys are built
 * when the rows are there. It takes some minutes for a million.
 */
export async function fill(
  url: string,
  o: { readonly orders: number; readonly passwordHash: string; readonly print: (line: string) => void },
): Promise<void> {
  const { orders, passwordHash, print } = o;
  const nowMs = Date.now();
  const pool = postgres(url, { max: sessions, onnotice: () => undefined });
  const left = [...tableRows({ orders, nowMs, passwordHash })];
  async function fillTables(): Promise<void> {
    const session = await pool.reserve();
    try {
      await session.unsafe(sessionSettings);
      for (let rows = left.shift(); rows !== undefined; rows = left.shift()) await fillTable(session, rows, print);
    } finally {
      session.release();
    }
  }
  try {
    await pool.unsafe(functions(orders));
    await pool.unsafe(sourceTable({ orders, nowMs }));
    await Promise.all(Array.from({ length: sessions }, fillTables));
    await pool.unsafe("drop schema grown cascade");
  } finally {
    await pool.end({ timeout: 1 });
  }
}

async function fillTable(
  session: postgres.ReservedSql,
  { table, insert }: TableRows,
  print: (line: string) => void,
): Promise<void> {
  const from = performance.now();
  const indexes = await indexesOf(session, table);
  const steps = [
    ...((await isNew(session, table)) ? [`truncate ${table}`] : []),
    ...indexes.map(({ name }) => `drop index ${name}`),
    `insert into ${table} ${insert}`,
    ...indexes.map(({ definition }) => definition),
  ];
  // What is written to a table in the transaction that truncated it needs no WAL, where that is minimal.
  await session.unsafe(`begin; ${steps.join("; ")}; commit`);
  // The count of rows is written now, and not after vacuum has written it.
  await session.unsafe("select pg_stat_force_next_flush()");
  await session.unsafe(`vacuum (freeze, analyze) ${table}`);
  print(`  ${table}: ${Math.round((performance.now() - from) / 1_000)} s`);
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
