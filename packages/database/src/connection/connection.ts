import { backoffMs } from "@rialto/async";
import { currentSpan } from "@rialto/telemetry";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { DatabaseUnreachable } from "./errors.ts";
import { meaningOf } from "./failures.ts";
import { ormOn } from "./orm.ts";
import { codeOf } from "./outage.ts";
import { countStatements, countTransaction, type PoolCount, type PoolUse } from "./pool-use.ts";
import { clientAt, poolerRefusal, whyUnreachable } from "./server-address.ts";
import { createStatementNames, type StatementNames, traceStatements, traceTransaction } from "./traced.ts";
import { type WriteWatch, watchWrites } from "./write-watch.ts";

/** A pool of connections. An int8 is a bigint in both directions. */
export type Sql = postgres.Sql<{ bigint: bigint }>;
/** One transaction on a connection of a pool. `requireTopic` is that of its `Database`. */
export type Transaction = postgres.TransactionSql<{ bigint: bigint }> & Partial<Pick<Database, "requireTopic">>;

/** A service's connections to its own schema. */
export interface Database {
  readonly schema: string;
  /** How many connections its pools open at most, together. A pool counts from its first use. */
  readonly connectionsMax: number;
  /** The main pool, for named SQL. */
  readonly sql: Sql;
  /** The main pool, for queries built with Drizzle. */
  readonly orm: PostgresJsDatabase;
  /** The writer connections, for group commits only: statements are planned once and never wait long for a lock. */
  readonly writers: Sql;
  /**
   * Opens one more pool, for work that must not keep the main pool busy: that many connections, and a timeout for each
   * of its statements. It is closed with the database. `purpose` tells it from the others in the metrics.
   */
  pool(o: { readonly purpose: string; readonly connectionsMax: number; readonly statementMsMax: number }): Sql;
  /** How its pools are used: those that were used so far. Nothing is in flight where `openDatabase` does not count. */
  pools(): readonly PoolUse[];
  /** How the transactions and the group commits of all pools end. */
  readonly writes: WriteWatch;
  /** Whether what loaders share is frozen. For tests: it finds who changes an answer that others got as well. */
  readonly freezesShared?: boolean | undefined;
  /**
   * Ends each connection once its queries are answered; later queries use new ones. Done without a call when the server
   * reports that it has become read-only: the writable one is elsewhere by then, or this one again in a moment. At most
   * once a second.
   */
  renew(): void;
  /** Throws for a topic that the service does not declare in `publishes`. What writes to the outbox calls it first. */
  requireTopic(topic: string): void;
  close(): Promise<void>;
}

const connectTimeoutSeconds = 5;
const closeTimeoutSeconds = 3;
/**
 * More than a statement may take by its own timeout, so that only a server that cannot be reached is silent for longer.
 * Less than a group commit is waited for, so that it is looked up and sent again over a new connection.
 */
const answerMsMaxDefault = 12_000;
/** As Postgres shows it. */
const adminIdle = "599s";
/**
 * The longest that a connection waits before it is tried again. A query that comes in meanwhile waits for it, and only
 * then learns that there is no server: a call that reads several times must learn it before its deadline.
 */
export const reconnectDelayMsMax = 400;
const reconnectBackoff = { delayMsMin: 50, delayMsMax: reconnectDelayMsMax, jitter: "half" } as const;
/** The size of a schema's main pool. Six schemas stay below the 100 connections that Postgres accepts by default. */
const connectionsMaxDefault = 10;
const writerConnectionsMax = 2;
/** Connections are not renewed more often, however many statements a read-only server refuses. */
const renewMsMin = 1_000;

/** Limits of every session: a frozen process blocks the others for this long and no longer. */
const sessionBounds = {
  lock_timeout: 2_000,
  statement_timeout: 10_000,
  idle_in_transaction_session_timeout: 10_000,
};

/**
 * What keeps a group commit's plans good and its waits short. docs/group-commit.md has the figures: planning each time
 * costs more than a batch of one, a generic plan must not scan the table, and one held key must not hold up a batch.
 */
const writerSettings = {
  lock_timeout: 200,
  plan_cache_mode: "force_generic_plan",
  jit: "off",
  enable_seqscan: "off",
  default_transaction_isolation: "read committed",
};

/**
 * Opens a service's pools on its schema. Connections are made as they are needed. One that owes an answer and is silent
 * for `answerMsMax` is closed (default 12 s), as `connect` describes.
 */
export function openDatabase(o: {
  url: string;
  schema: string;
  service: string;
  connectionsMax?: number;
  answerMsMax?: number;
  /** The topics that the service declares; any, where it is left out. */
  publishes?: readonly string[];
  freezesShared?: boolean;
  /** Make spans of statements, where the work that sends them is recorded. */
  traced?: boolean;
  /** Count what is in flight on each pool. */
  counted?: boolean;
}): Database {
  const session = {
    application_name: `rialto-${o.service}`,
    search_path: `"${o.schema}"`,
    TimeZone: "UTC",
    ...sessionBounds,
  };
  const writes = watchWrites();
  const requireTopic = (topic: string) => {
    if (o.publishes?.includes(topic) === false)
      throw new Error(`"${o.service}" does not declare the topic "${topic}": add it to "publishes" of its definition`);
  };
  const names = o.traced === true ? createStatementNames(o.url, o.schema) : undefined;
  const pools: OpenPool[] = [];
  let renewedAt = Number.NEGATIVE_INFINITY;
  const renew = () => {
    if (performance.now() - renewedAt < renewMsMin) return;
    renewedAt = performance.now();
    for (const { sql } of pools) sql.renew();
  };
  const open = (purpose: string, max: number, settings: Readonly<Record<string, string | number>> = {}): Sql => {
    const plain = connect(o.url, {
      max,
      connection: { ...session, ...settings },
      answerMsMax: o.answerMsMax ?? answerMsMaxDefault,
      onFailure: (code) => {
        if (meaningOf(code)?.connection === "all dropped") renew();
      },
    });
    const count = o.counted === true ? { inFlight: 0 } : undefined;
    const pool = watched(plain, { writes, requireTopic, names, count });
    pools.push({ sql: pool, name: purpose === "" ? o.schema : `${o.schema} ${purpose}`, count });
    return pool;
  };
  const sql = open("", o.connectionsMax ?? connectionsMaxDefault);
  let writers: Sql | undefined;
  return {
    schema: o.schema,
    sql,
    orm: ormOn(sql),
    get writers() {
      writers ??= open("writers", writerConnectionsMax, writerSettings);
      return writers;
    },
    pool: ({ purpose, connectionsMax, statementMsMax }) =>
      open(purpose, connectionsMax, { statement_timeout: statementMsMax }),
    pools: () => pools.map(useOf),
    get connectionsMax() {
      return pools.reduce((sum, pool) => sum + pool.sql.options.max, 0);
    },
    writes,
    freezesShared: o.freezesShared,
    renew,
    requireTopic,
    close: async () => {
      await Promise.all(pools.map((pool) => pool.sql.end({ timeout: closeTimeoutSeconds })));
    },
  };
}

interface OpenPool {
  readonly sql: Sql;
  readonly name: string;
  /** Undefined where nothing is counted. */
  readonly count: PoolCount | undefined;
}

function useOf({ sql, name, count }: OpenPool): PoolUse {
  return { name, connectionsMax: sql.options.max, inFlight: count?.inFlight ?? 0 };
}

/**
 * Watches the pool's transactions, tells them which topics they may publish, and counts and traces what is sent where
 * that is asked for.
 */
function watched(
  sql: Sql,
  o: Pick<Database, "writes" | "requireTopic"> & {
    readonly names: StatementNames | undefined;
    readonly count: PoolCount | undefined;
  },
): Sql {
  const { writes, requireTopic, names, count } = o;
  // The overloads of `begin` differ in what the work returns, which is passed on. The work is the last argument of
  // each.
  const begin = sql.begin as unknown as (...args: unknown[]) => Promise<unknown>;
  const pool = Object.assign(sql, {
    begin(...args: unknown[]) {
      const work = args.pop() as (tx: postgres.TransactionSql<{ bigint: bigint }>) => unknown;
      const withTopics = (tx: postgres.TransactionSql<{ bigint: bigint }>) =>
        work(Object.assign(names === undefined ? tx : traceStatements(tx, names), { requireTopic }));
      const transact = (run: typeof withTopics) => begin(...args, run);
      const run = () =>
        writes.watch(() =>
          count === undefined ? transact(withTopics) : countTransaction(count, withTopics, transact),
        );
      const span = names === undefined ? undefined : currentSpan();
      return span === undefined || names === undefined ? run() : traceTransaction(span, names, run);
    },
  });
  const counted = count === undefined ? pool : countStatements(pool, count);
  return names === undefined ? counted : traceStatements(counted, names);
}

const clientOptions = {
  connect_timeout: connectTimeoutSeconds,
  // The driver's own backoff grows to 20 s, and queries would wait for it after Postgres is back.
  backoff: (tries: number) => backoffMs(tries + 1, reconnectBackoff) / 1_000,
  onnotice: () => undefined,
} as const;

interface PoolOptions {
  readonly max: number;
  readonly connection?: Readonly<Record<string, string | number>>;
  readonly answerMsMax?: number;
  /** Whether arrays are sent and read, for which each new connection asks the server for its types. By default. */
  readonly arrays?: boolean;
  /** Called with the SQLSTATE of each error that the server sends. */
  readonly onFailure?: (code: string) => void;
}

/** `answer_timeout` and `onfailure` are from our patches (third_party/postgres), as is `renew`. */
function driverOptions({ max, connection, answerMsMax, arrays = true, onFailure }: PoolOptions) {
  const answer_timeout = answerMsMax === undefined ? null : answerMsMax / 1_000;
  return {
    ...{ ...clientOptions, max, connection: { ...connection }, answer_timeout },
    ...{ fetch_types: arrays, onfailure: onFailure },
  };
}

const unpatched =
  "postgres.js is without the patches of third_party/postgres: run `npm ci`, which installs it from there.";

/**
 * Opens a pool with our types and timeouts. Throws where the driver is unpatched: a lost connection can end the process
 * with it.
 *
 * With `answerMsMax`, a connection that owes an answer and is silent for so long is closed, and its queries fail with
 * CONNECTION_CLOSED, their outcome unknown. Without it, queries to a machine that is gone wait until TCP gives up, a
 * quarter of an hour. It is for statements that have a timeout of their own. The others belong to tasks, which wait for
 * as long as they must. It is not for COPY and cursors, in which the server may be the one that waits.
 */
export function connect(url: string, o: PoolOptions): Sql {
  const sql = postgres(...clientAt(url, { ...driverOptions(o), types: { bigint: postgres.BigInt } }));
  if (!("patched" in postgres)) throw new Error(unpatched);
  return sql;
}

/**
 * Runs an administrative task on a pool of one connection, with these settings of its session. Throws
 * `DatabaseUnreachable` where it cannot connect.
 */
export async function withAdmin<T>(
  url: string,
  work: (sql: Sql) => Promise<T>,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<T> {
  // No default has this value. A pooler that drops this setting drops the others as well.
  const kept = { application_name: "rialto-provision", idle_in_transaction_session_timeout: adminIdle };
  const sql = connect(url, { max: 1, connection: { ...kept, ...settings }, arrays: false });
  try {
    const [row] = await sql<{ kept: boolean }[]>`
      select pg_catalog.current_setting('idle_in_transaction_session_timeout') = ${adminIdle} as kept`.catch(
      (cause: unknown) => {
        const code = codeOf(cause) || "no reason given";
        const reason = whyUnreachable(cause) ?? `Postgres does not answer at the database URL (${code}).`;
        throw new DatabaseUnreachable(reason, { cause });
      },
    );
    if (row?.kept !== true) throw new DatabaseUnreachable(poolerRefusal);
    return await work(sql);
  } finally {
    await sql.end({ timeout: closeTimeoutSeconds });
  }
}
