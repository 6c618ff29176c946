import postgres from "postgres";
import { expect } from "vitest";

/** Settings of a Postgres whose work is counted: nothing that it does of its own accord is in the WAL. */
export const countingSettings = {
  shared_preload_libraries: "pg_stat_statements",
  // What clients send; not what functions of Postgres run inside.
  "pg_stat_statements.track": "top",
  // No copies of pages, whose number depends on when the last checkpoint was, and no vacuum.
  full_page_writes: "off",
  autovacuum: "off",
  checkpoint_timeout: "1h",
  max_wal_size: "8GB",
};

/** What one of many repetitions of some work costs the database. */
export interface DatabaseCounts {
  readonly statements: number;
  /** Transactions that wrote. */
  readonly commits: number;
  readonly walBytes: number;
  /** Jobs put into the queue. */
  readonly jobs: number;
  /** Each statement that is counted: how often, who sent it, and how its text begins. */
  readonly list: readonly string[];
}

const warmUps = 5;
/** How often work is repeated. What happens in fewer than half of the repetitions, as a retry, does not count. */
const repetitions = 20;
const idleLeaseRenewals = 15;

/** How the relay asks after jobs that are not done yet, and settles those that are: the longer it takes, the more. */
const asksAfterJobs = /^\s*(update (delivery|batch)\b|select state, priority from job\b)/i;
/** Not counted as statements: what they begin and end is a commit. */
const transactionWords = /^\s*(begin|commit|rollback)\b/i;
const settledTables = /^(\w+\.(delivery|batch) ?)+$/;

/**
 * Counts what one repetition costs. `work` does it, and resolves once everything that follows from it is done.
 *
 * Processes also poll: the longer the work takes, the more often. So they are watched while nothing is to do, until
 * they have renewed their leases a few times. A statement that is seen then is a poll, and not counted, though some
 * find work; a transaction that writes to the same tables as one seen then is neither, and nor is what the relay does
 * until it has seen that a job is done. Of the others each kind is counted by itself and rounded, so that a retry, or a
 * schedule that runs once a minute, does not count.
 */
export async function countPerRepetition(
  databaseUrl: string,
  work: (repetitions: number) => Promise<void>,
): Promise<DatabaseCounts> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql`create extension if not exists pg_stat_statements schema public`;
    await sql`create extension if not exists pg_walinspect schema public`;
    await work(warmUps);
    const idle = await watch(sql, () => leasesRenewed(sql));
    const busy = await watch(sql, () => work(repetitions));
    const polled = new Set(idle.statements.map(({ id }) => id));
    const touchedIdly = new Set(idle.transactions.map(({ tables }) => tables));
    const transactions = busy.transactions.filter(
      ({ tables }) => !touchedIdly.has(tables) && !settledTables.test(tables),
    );
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    const perRepetition = (count: number) => Math.round(count / repetitions);
    const statements = busy.statements.filter(
      ({ id, text }) => !polled.has(id) && !asksAfterJobs.test(text) && !transactionWords.test(text),
    );
    const counted = statements.filter(({ calls }) => perRepetition(calls) > 0).sort((a, b) => b.calls - a.calls);
    return {
      list: counted.map(({ calls, roles, text }) => `${perRepetition(calls)} ${roles}: ${beginningOf(text)}`),
      statements: sum(statements.map(({ calls }) => perRepetition(calls))),
      commits: sum(transactions.map(({ count }) => perRepetition(count))),
      walBytes: perRepetition(sum(transactions.map(({ bytes }) => bytes))),
      jobs: perRepetition(busy.jobs),
    };
  } finally {
    await sql.end();
  }
}

/** Enough of a statement to know it by. */
function beginningOf(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim().slice(0, 100);
}

interface Statement {
  readonly id: string;
  readonly text: string;
  readonly calls: number;
  /** Who sent it. */
  readonly roles: string;
}

interface Watched {
  readonly statements: readonly Statement[];
  readonly transactions: readonly { readonly tables: string; readonly count: number; readonly bytes: number }[];
  readonly jobs: number;
}

async function watch(sql: postgres.Sql, work: () => Promise<void>): Promise<Watched> {
  await sql`select pg_stat_statements_reset()`;
  const from = await walPosition(sql);
  await work();
  // Work that only reads leaves no record, and a WAL without one cannot be read.
  await sql`select pg_logical_emit_message(true, '', '') as before_pg_current_wal_lsn`;
  const to = await walPosition(sql);
  // By id: which constants the text of a statement shows depends on who sent it first.
  const statements = await sql<Statement[]>`
    select queryid::text as id, min(query) as text, sum(calls)::int as calls,
      string_agg(distinct userid::regrole::text, ' ') as roles from pg_stat_statements
    where query not like '%pg_stat_statements%' and query not like '%pg_current_wal_lsn%' group by queryid`;
  // A transaction is known by the tables that it wrote to. An index counts as its table; the system's own tables, and
  // sequences, which write to the WAL now and then only, do not count.
  const transactions = await sql<{ tables: string; count: number; bytes: number }[]>`
    with record as materialized (
      select xid::text as xid, record_length as bytes, resource_manager || ' ' || record_type as kind, block_ref
      from pg_get_wal_records_info(${from}::pg_lsn, ${to}::pg_lsn)),
    written as (
      select record.xid, string_agg(distinct n.nspname || '.' || t.relname, ' ') as tables
      from record cross join lateral regexp_matches(block_ref, 'rel [0-9]+/[0-9]+/([0-9]+)', 'g') as found
        join pg_class c on pg_relation_filenode(c.oid) = found[1]::oid
        left join pg_index i on i.indexrelid = c.oid
        join pg_class t on t.oid = coalesce(i.indrelid, c.oid) and t.relkind in ('r', 'p')
        join pg_namespace n on n.oid = t.relnamespace and n.nspname !~ '^pg_'
      group by record.xid),
    transaction as (
      select xid, sum(bytes) as bytes, bool_or(kind = 'Transaction COMMIT') as committed from record group by xid)
    select tables, count(*)::int as count, sum(bytes)::int as bytes
    from transaction join written using (xid) where committed group by tables`;
  const [jobs] = await sql<{ count: number }[]>`
    select count(*)::int as count from pg_get_wal_records_info(${from}::pg_lsn, ${to}::pg_lsn)
    where resource_manager = 'Heap' and record_type like 'INSERT%'
      and block_ref like '%/' || pg_relation_filenode('jobs.job') || ' %'`;
  return { statements, transactions, jobs: jobs?.count ?? 0 };
}

async function walPosition(sql: postgres.Sql): Promise<string> {
  const [row] = await sql<{ position: string }[]>`select pg_current_wal_lsn()::text as position`;
  return row?.position ?? "";
}

/** Waits until the processes have renewed their leases a few times: every poll has run by then. */
async function leasesRenewed(sql: postgres.Sql): Promise<void> {
  const renewals = async () => {
    const [row] = await sql<{ count: number }[]>`
      select coalesce(sum(calls), 0)::int as count from pg_stat_statements where query like '%update lease%'`;
    return row?.count ?? 0;
  };
  await expect.poll(renewals, { interval: 500, timeout: 80_000 }).toBeGreaterThanOrEqual(idleLeaseRenewals);
}
