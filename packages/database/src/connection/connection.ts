import { backoffMs } from "@rialto/async";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { DatabaseUnreachable } from "./errors.ts";
import { meaningOf } from "./failures.ts";
import { codeOf } from "./outage.ts";
import { clientAt, poolerRefusal, whyUnreachable } from "./server-address.ts";
import { type WriteWatch, watchWrites } from "./write-watch.ts";

/** A pool of connections; int8 comes and goes as bigint. */
export type Sql = postgres.Sql<{ bigint: bigint }>;
/** One transaction on a connection of a pool. `requireTopic` is that of its `Database`. */
export type Transaction = postgres.TransactionSql<{ bigint: bigint }> & Partial<Pick<Database, "requireTopic">>;

/** A service's way to its own schema. */
export interface Database {
  readonly schema: string;
  /** How many connections its pools open at the most, together. */
  readonly connectionsMax: number;
  /** For SQL of our own. */
  readonly sql: Sql;
  /** For queries built with Drizzle, which changes how its client reads dates and JSON: so it has one of its own. */
  readonly orm: PostgresJsDatabase;
  /** For group commits only: planned once, and never waiting long for a lock. */
  readonly writers: Sql;
  /**
   * Opens one more pool, for work that must not keep the others waiting: so many connections, and a time-out for each of its statements. It is closed
   * with the database.
   */
  pool(o: { readonly connectionsMax: number; readonly statementMsMax: number }): Sql;
  /** How the transactions and the group commits of all pools end. */
  readonly writes: WriteWatch;
  /**
   * Ends each connection once what it was given is answered; what comes next is on new ones. Done by itself when the server says that it has become
   * read-only: what is writable is somewhere else by then, or this one again in a moment. At most once a second.
   */
  renew(): void;
  /** Throws for a topic that the service does not declare in `publishes`. What writes to the outbox calls it first. */
  requireTopic(topic: string): void;
  close(): Promise<void>;
}

const connectTimeoutSeconds = 5;
const closeTimeoutSeconds = 3;
/**
 * More than a statement may take by its own time-out, so that only a server that cannot be reached is silent for longer; less than a
 * group commit is waited for, so that it is looked up and sent again over a new connection.
 */
const answerMsMaxDefault = 12_000;
const adminIdleMsMax = 599_000;
const reconnectBackoff = { delayMsMin: 50, delayMsMax: 1_000, jitter: "half" } as const;
const connectionsMaxDefault = 10;
const ormConnectionsMax = 5;
const writerConnectionsMax = 2;
/** Connections are not renewed more often, however many statements a read-only server refuses. */
const renewMsMin = 1_000;

/** Bounds of every session: a frozen or forgetful process blocks the others for this long and no longer. */
const sessionBounds = {
  lock_timeout: 2_000,
  statement_timeout: 10_000,
  idle_in_transaction_session_timeout: 10_000,
};

/**
 * What makes the group commit's plans good and its waits short; each figure is in docs/group-commit.md: planning anew costs more
 * than a batch of one, a generic plan must not scan the table, and one held key must not hold up a batch.
 */
const writerSettings = {
  lock_timeout: 200,
  plan_cache_mode: "force_generic_plan",
  jit: "off",
  enable_seqscan: "off",
  default_transaction_isolation: "read committed",
};

/**
 * Opens the pools of one service on its schema. Connections are made as they are needed; one that owes an answer and is silent for
 * `answerMsMax` is given up (12 s unless said), as `connect` tells.
 */
export function openDatabase(o: {
  url: string;
  schema: string;
  service: string;
  connectionsMax?: number;
  answerMsMax?: number;
  /** The topics that the service declares; any, where it is left out. */
  publishes?: readonly string[];
}): Database {
  const session = {
    application_name: `rialto-${o.service}`,
    search_path: `"${o.schema}"`,
    TimeZone: "UTC",
    ...sessionBounds,
  };
  const answerMsMax = o.answerMsMax ?? answerMsMaxDefault;
  const writes = watchWrites();
  const requireTopic = (topic: string) => {
    if (o.publishes?.includes(topic) === false)
      throw new Error(`"${o.service}" does not declare the topic "${topic}": add it to "publishes" of its definition`);
  };
  const watch = { writes, requireTopic };
  let renewedAt = Number.NEGATIVE_INFINITY;
  const renew = () => {
    if (performance.now() - renewedAt < renewMsMin) return;
    renewedAt = performance.now();
    for (const pool of [sql, writers, forOrm, ...more]) pool.renew();
  };
  const onFailure = (code: string) => {
    if (meaningOf(code)?.connection === "all dropped") renew();
  };
  const more: Sql[] = [];
  const shared = { answerMsMax, onFailure };
  const sql = watched(
    connect(o.url, { max: o.connectionsMax ?? connectionsMaxDefault, connection: session, ...shared }),
    watch,
  );
  const forWriters = { max: writerConnectionsMax, connection: { ...session, ...writerSettings }, ...shared };
  const writers = watched(connect(o.url, forWriters), watch);
  const forOrm = watched(
    postgres(...clientAt(o.url, driverOptions({ max: ormConnectionsMax, connection: session, ...shared }))),
    watch,
  );
  return {
    schema: o.schema,
    sql,
    writers,
    orm: drizzle(forOrm),
    pool: ({ connectionsMax, statementMsMax }) => {
      const connection = { ...session, statement_timeout: statementMsMax };
      const pool = watched(connect(o.url, { max: connectionsMax, connection, ...shared }), watch);
      more.push(pool);
      return pool;
    },
    get connectionsMax() {
      return [sql, writers, forOrm, ...more].reduce((sum, pool) => sum + pool.options.max, 0);
    },
    writes,
    renew,
    requireTopic,
    close: async () => {
      await Promise.all([sql, writers, forOrm, ...more].map((pool) => pool.end({ timeout: closeTimeoutSeconds })));
    },
  };
}

/** The pool, whose transactions are watched and know which topics they may publish. */
function watched<S extends postgres.Sql>(
  sql: S,
  { writes, requireTopic }: Pick<Database, "writes" | "requireTopic">,
): S {
  // Its overloads differ in what the work gives back, which is handed through. The work is the last argument of each.
  const begin = sql.begin as unknown as (...args: unknown[]) => Promise<unknown>;
  return Object.assign(sql, {
    begin(...args: unknown[]) {
      const work = args.pop() as (tx: postgres.TransactionSql) => unknown;
      const withTopics = (tx: postgres.TransactionSql) => work(Object.assign(tx, { requireTopic }));
      return writes.watch(() => begin(...args, withTopics));
    },
  });
}

const clientOptions = {
  connect_timeout: connectTimeoutSeconds,
  // The driver's own backoff grows to 20 s, which a Postgres that is back would be waited for.
  backoff: (tries: number) => backoffMs(tries + 1, reconnectBackoff) / 1_000,
  onnotice: () => undefined,
} as const;

interface PoolOptions {
  readonly max: number;
  readonly connection?: Readonly<Record<string, string | number>>;
  readonly answerMsMax?: number;
  /** Called with the SQLSTATE of each failure that the server tells. */
  readonly onFailure?: (code: string) => void;
}

/** `answer_timeout` and `onfailure` are from our patches (third_party/postgres), as is `renew`. */
function driverOptions({ max, connection, answerMsMax, onFailure }: PoolOptions) {
  const answer_timeout = answerMsMax === undefined ? null : answerMsMax / 1_000;
  return { ...clientOptions, max, connection: { ...connection }, answer_timeout, onfailure: onFailure };
}

const unpatched =
  "postgres.js is without the patches of third_party/postgres: run `npm ci`, which installs it from there.";

/**
 * A pool with our types and time-outs. Throws where the driver is as published, which a lost connection can end the process with.
 *
 * With `answerMsMax` a connection on which nothing came for so long while the server owed an answer is closed, and what waited on it
 * fails by CONNECTION_CLOSED, its outcome unknown. Else what is on its way to a machine that is gone waits until TCP gives up, a quarter
 * of an hour. It is for statements that have a time-out of their own; the others are a task's, which waits for as long as it must. Not for
 * COPY and cursors, in which the server may be the one who waits.
 */
export function connect(url: string, o: PoolOptions): Sql {
  const sql = postgres(...clientAt(url, { ...driverOptions(o), types: { bigint: postgres.BigInt } }));
  if (!("patched" in postgres)) throw new Error(unpatched);
  return sql;
}

/** Opens a short-lived pool of one connection for an administrative task, and says plainly when there is no way in. */
export async function withAdmin<T>(url: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  // The time-out is one that nobody else sets: a pooler that drops it drops the others as well.
  const connection = { application_name: "rialto-provision", idle_in_transaction_session_timeout: adminIdleMsMax };
  const sql = connect(url, { max: 1, connection });
  try {
    const [row] = await sql<{ kept: boolean }[]>`
      select setting::int = ${adminIdleMsMax} as kept from pg_settings
      where name = 'idle_in_transaction_session_timeout'`.catch((cause: unknown) => {
      const code = codeOf(cause) || "no reason given";
      const reason = whyUnreachable(cause) ?? `Postgres does not answer at the database URL (${code}).`;
      throw new DatabaseUnreachable(reason, { cause });
    });
    if (row?.kept !== true) throw new DatabaseUnreachable(poolerRefusal);
    return await work(sql);
  } finally {
    await sql.end({ timeout: closeTimeoutSeconds });
  }
}
