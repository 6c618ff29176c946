import type postgres from "postgres";

/** How much a table holds. */
export interface TableSize {
  readonly table: string;
  readonly rows: number;
  readonly deadRows: number;
  /** Of the table with its TOAST, without indexes. */
  readonly tableBytes: number;
  readonly indexBytes: number;
  /** Since the statistics were reset. */
  readonly inserted: number;
}

/** Reads the sizes of all tables of Rialto's schemas, the largest first. Rows are those of the statistics. */
export async function tableSizes(sql: postgres.Sql): Promise<readonly TableSize[]> {
  return await sql<TableSize[]>`
    select schemaname || '.' || relname as table, n_live_tup::float8 as rows, n_dead_tup::float8 as "deadRows",
      pg_table_size(relid)::float8 as "tableBytes", pg_indexes_size(relid)::float8 as "indexBytes",
      n_tup_ins::float8 as inserted
    from pg_stat_user_tables where relname not like '\\_\\_%' order by pg_total_relation_size(relid) desc`;
}
