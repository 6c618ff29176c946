import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";

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

/** What some work costs the database, in all. */
export interface DatabaseCounts {
  /** Statements of the services, `begin` and `commit` among them. */
  readonly statements: number;
  /** Statements of the job queue, where it is on Postgres. */
  readonly jobStatements: number;
  /** Transactions that wrote: of the services, and of the job queue. */
  readonly commits: number;
  readonly jobCommits: number;
  readonly walBytes: number;
  /** Jobs put into the queue, where it is on Postgres. */
  readonly jobs: number;
  /** Each kind of statement that is counted, the most frequent first. */
  readonly kinds: readonly StatementKind[];
}

export interface StatementKind {
  readonly count: number;
  /** Who sent it. */
  readonly role: string;
  readonly text: string;
}

/** Counts what work costs. */
export interface DatabaseCounter {
  /**
   * Counts what work costs that is done `repetitions` times. `work` resolves once everything that follows from it is
   * done. With `isAlike` each kind of statement and of transaction is rounded to a multiple of the repetitions, so that
   * a retry, or a schedule that runs once a minute, does not count.
   */
  count(repetitions: number, work: () => Promise<void>, o?: { readonly isAlike: boolean }): Promise<DatabaseCounts>;
  close(): Promise<void>;
}

const idleLeaseRenewals = 15;
const pollMs = 500;

const jobsRole = /jobs/;
const transactionWords = /^\s*(begin|commit|rollback)\b/i;
/** The relay's claim. It is a poll too, and returns one row where it has found something. */
const claim = /^\s*with claimed as\b/i;
/** How the relay asks after jobs that are not done yet: the longer that takes, the more often. */
const asksAfterJobs = /^\s*(update delivery d\b|select state, priority from job\b)/i;
const askedTables = /^(\w+\.delivery ?)+$/;

/**
 * Opens a counter on a system that has done such work before, so that every statement was sent once.
 *
 * Processes also poll: the longer the work takes, the more often. So they are watched while nothing is to do, until
 * they have renewed their leases a few times. A statement that is seen then is a poll and does not count, but for the
 * relay's claims that found something; nor does a transaction that writes to the same tables as one seen then; nor what
 * the relay does until it has seen that a job is done; nor what the test itself asks, as the server's owner.
 */
export async function openDatabaseCounter(databaseUrl: string): Promise<DatabaseCounter> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  await sql`create extension if not exists pg_stat_statements schema public`;
  await sql`create extension if not exists pg_walinspect schema public`;
  const idle = await watch(sql, () => leasesRenewed(sql));
  const polled = new Set(idle.statements.map(({ id }) => id));
  const touchedIdly = new Set(idle.transactions.map(({ tables }) => tables));
  const isCounted = ({ id, text }: Statement) =>
    transactionWords.test(text) || claim.test(text) || !(polled.has(id) || asksAfterJobs.test(text));

  return {
    async count(repetitions, work, { isAlike } = { isAlike: false }) {
      const busy = await watch(sql, work);
      const rounded = (count: number) => (isAlike ? Math.round(count / repetitions) * repetitions : count);
      const sum = <T>(list: readonly T[], countOf: (one: T) => number) =>
        list.reduce((total, one) => total + rounded(countOf(one)), 0);
      const callsOf = ({ text, calls, rows }: Statement) => (claim.test(text) ? rows : calls);
      const counted = busy.statements.filter((one) => isCounted(one) && rounded(callsOf(one)) > 0);
      const isOfJobs = ({ roles }: Statement) => jobsRole.test(roles);
      const transactions = busy.transactions.filter(
        ({ tables }) => !touchedIdly.has(tables) && !askedTables.test(tables),
      );
      const isJobs = ({ tables }: { readonly tables: string }) => tables.startsWith("jobs.");
      return {
        statements: sum(
          counted.filter((one) => !isOfJobs(one)),
          callsOf,
        ),
        jobStatements: sum(counted.filter(isOfJobs), callsOf),
        commits: sum(
          transactions.filter((one) => !isJobs(one)),
          ({ count }) => count,
        ),
        jobCommits: sum(transactions.filter(isJobs), ({ count }) => count),
        walBytes: transactions.reduce((total, { bytes }) => total + bytes, 0),
        jobs: busy.jobs,
        kinds: counted
          .map((one) => ({
            count: rounded(callsOf(one)),
            role: one.roles,
            text: one.text.replaceAll(/\s+/g, " ").trim(),
          }))
          .toSorted((a, b) => b.count - a.count),
      };
    },
    close: () => sql.end(),
  };
}

interface Statement {
  readonly id: string;
  readonly text: string;
  readonly calls: number;
  readonly rows: number;
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
  await sql`select pg_logical_emit_message(true, '', '')`;
  const to = await walPosition(sql);
  // By id: which constants the text of a statement shows depends on who sent it first.
  const statements = await sql<Statement[]>`
    select queryid::text || ' ' || userid as id, min(query) as text, sum(calls)::int as calls, sum(rows)::int as rows,
      userid::regrole::text as roles from pg_stat_statements
    where userid <> (select usesysid from pg_user where usename = current_user) group by queryid, userid`;
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
      and block_ref like '%/' || pg_relation_filenode(to_regclass('jobs.job')) || ' %'`;
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
  while ((await renewals()) < idleLeaseRenewals) await sleep(pollMs);
}
