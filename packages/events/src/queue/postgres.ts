import { backoffMs, sleep } from "@rialto/async";
import { meaningOf, readServerAddress } from "@rialto/database";
import {
  type BackendFactory,
  type PgPool,
  type PgPoolClient,
  type PgQueryable,
  PostgresConnection,
  PostgresQueueBackend,
  Queue,
  runMigrations,
  Worker,
} from "bullmq";
import pg from "pg";
import type { Jobs, StopOptions } from "./jobs.ts";
import { queueOptions, workerOptions } from "./options.ts";
import { PgClient } from "./pg-client.ts";
import { createQueues, toJobState } from "./queues.ts";
import { keepWorking } from "./worker.ts";

const jobsSchema = "jobs";
/** Connections for queries. Each worker adds the one on which it listens. */
const queryConnectionsMax = 4;
const connectTimeoutMs = 5_000;
const lockTimeoutMs = 5_000;
const statementTimeoutMs = 15_000;
const idleTransactionTimeoutMs = 15_000;
const queryTimeoutMs = 20_000;
/** BullMQ's own function reads the state of one job in a statement. */
const statesStatement = `
  select asked.id, job.state from unnest($2::text[]) as asked (id)
    left join job on job.queue = $1 and job.id = asked.id`;
const failureBackoff = { delayMsMin: 50, delayMsMax: 2_000 } as const;

/**
 * BullMQ ignores a schema option beside a pool. The pool's search_path sets the schema, and this tells BullMQ the same.
 */
class JobsConnection extends PostgresConnection {
  override readonly schema = jobsSchema;
}

/**
 * Creates or updates BullMQ's tables in the schema `jobs`. The schema's owner runs it, before any job. BullMQ would
 * also create the schema, for which Postgres requires a right on the whole database even where it exists: `provision`
 * has created it, and the owner does not have that right.
 */
export async function migrateJobs(ownerUrl: string): Promise<void> {
  const client = new PgClient({ ...pgAddress(ownerUrl), application_name: "rialto-migrate-jobs" });
  await client.connect();
  // See `slowToFail` on these types.
  const real = client as unknown as PgQueryable;
  const withoutSchema: PgQueryable = {
    query: async (text, params) => (text.startsWith("CREATE SCHEMA") ? { rows: [] } : await real.query(text, params)),
  };
  try {
    await runMigrations(withoutSchema, jobsSchema);
  } finally {
    await client.end();
  }
}

/** pg interprets the TLS parameters of a URL differently. */
function pgAddress(text: string) {
  const { url, ssl } = readServerAddress(text);
  return { connectionString: url, ssl };
}

/** Creates queues on Postgres, with one pool for all queues of the process. */
export function createPostgresJobs(url: string): Jobs {
  const limits = { lock_timeout: lockTimeoutMs, statement_timeout: statementTimeoutMs };
  const pool = new pg.Pool({
    Client: PgClient,
    ...pgAddress(url),
    ...limits,
    idle_in_transaction_session_timeout: idleTransactionTimeoutMs,
    query_timeout: queryTimeoutMs,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    max: queryConnectionsMax,
    application_name: "rialto-jobs",
    options: `-c search_path=${jobsSchema}`,
  });
  // An idle connection broke. The next query reports its own error.
  pool.on("error", () => undefined);
  const acquired = new Set<pg.PoolClient>();
  pool.on("acquire", (client) => acquired.add(client));
  pool.on("release", (_error, client) => acquired.delete(client));
  const { connection, isReachable } = slowToFail(pool, () => {
    for (const client of acquired) cut(client);
  });
  const backend: BackendFactory<PostgresQueueBackend, PgPool> = (name, options, { withBlockingConnection } = {}) =>
    new PostgresQueueBackend(
      new JobsConnection(options.connection),
      name,
      options,
      true,
      withBlockingConnection ? `rialto-jobs ${name}` : undefined,
    );
  const queues = createQueues((name) => new Queue(name, { ...queueOptions, connection }, backend));

  return {
    add: (queue, jobs) => queues.add(queue, jobs),
    async states(queue, ids) {
      const { rows } = await connection.query(statesStatement, [queue, ids]);
      return new Map(rows.map(({ id, state }) => [String(id), toJobState(String(state ?? "unknown"))]));
    },
    depth: (queue) => queues.depth(queue),
    async names() {
      const { rows } = await pool.query<{ queue: string }>("select queue from meta union select queue from job");
      return rows.map(({ queue }) => queue);
    },
    empty: (queue) => queues.empty(queue),
    work(queue, handle, { concurrency, log }) {
      pool.options.max += 1;
      const worker = keepWorking({
        queue,
        log,
        handle,
        create: (process) => new Worker(queue, process, { ...workerOptions, concurrency, connection }, backend),
      });
      let ended: Promise<void> | undefined;
      const end = async (o: StopOptions | undefined) => {
        await worker.stop(o);
        pool.options.max -= 1;
      };
      return { stop: (o) => (ended ??= end(o)) };
    },
    isReachable,
    pool: {
      name: jobsSchema,
      get connectionsMax() {
        return pool.options.max;
      },
      get inFlight() {
        return pool.totalCount - pool.idleCount + pool.waitingCount;
      },
    },
    async close() {
      await queues.close();
      await endWithAll(pool, acquired);
    },
  };
}

/**
 * Ends the pool, with connections that were never released. A worker that is closed while it starts acquires a
 * connection to listen on after it has released all others, and the pool would wait for that one for ever.
 */
async function endWithAll(pool: pg.Pool, acquired: ReadonlySet<pg.PoolClient>): Promise<void> {
  const ended = pool.end();
  pool.on("acquire", (client) => setImmediate(() => forceRelease(client)));
  for (const client of acquired) forceRelease(client);
  await ended;
}

/**
 * Releases a connection that is in use. A query that runs on it fails, and then releases it too, which the pool does
 * not allow twice.
 */
function forceRelease(client: pg.PoolClient): void {
  client.release(true);
  client.release = nothing;
}

function nothing(): void {}

/**
 * Acquires a connection that is open. The server may have ended it in the same packet in which it accepted it, and
 * BullMQ, which listens only from now on, would wait for jobs on it for ever.
 */
async function acquire(pool: pg.Pool): Promise<PgPoolClient> {
  const client = await pool.connect();
  if (client instanceof PgClient && client.failure !== undefined) {
    client.release(true);
    throw client.failure;
  }
  // See `slowToFail` on these types.
  return client as unknown as PgPoolClient;
}

/** Ends a connection on which BullMQ waits for jobs that arrive at another server. BullMQ opens a new one. */
function cut(client: pg.PoolClient): void {
  if (client instanceof PgClient) client.cut();
}

/**
 * Returns the pool as BullMQ sees it. A failing query rejects after a delay that grows with the failures in a row,
 * because BullMQ's worker asks again at once, as fast as a restarting Postgres can refuse. BM001 is a result of
 * BullMQ's own functions, and is passed on at once.
 *
 * The pool itself closes a connection whose query failed. Where the server has become read-only, `onAllDropped` closes
 * the acquired ones.
 */
function slowToFail(
  pool: pg.Pool,
  onAllDropped: () => void,
): { readonly connection: PgPool; readonly isReachable: () => boolean } {
  let failures = 0;
  async function slowly<T>(work: Promise<T>): Promise<T> {
    try {
      const done = await work;
      failures = 0;
      return done;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (code === "BM001") throw error;
      if (meaningOf(code)?.connection === "all dropped") onAllDropped();
      failures += 1;
      await sleep(backoffMs(failures, failureBackoff));
      throw error;
    }
  }
  // BullMQ describes pg's pool and clients in types of its own, which pg's satisfy in fact ("Any real pg.Pool is
  // structurally assignable") but not to the letter of their generics.
  const real = pool as unknown as PgPool;
  const seen: PgPool = {
    query: (text, params) => slowly(real.query(text, params)),
    connect: () => slowly(acquire(pool)),
    end: () => pool.end(),
    // BullMQ adds a listener for every queue and never removes one. The listener in this file is enough.
    on: () => seen,
    removeAllListeners: () => seen,
  };
  return { connection: seen, isReachable: () => failures === 0 };
}
