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
import type { Jobs } from "./jobs.ts";
import { queueOptions, workerOptions } from "./options.ts";
import { PgClient } from "./pg-client.ts";
import { createQueues } from "./queues.ts";
import { keepWorking } from "./worker.ts";

const jobsSchema = "jobs";
/** Connections for queries. Each worker adds the one on which it listens. */
const queryConnectionsMax = 4;
const connectTimeoutMs = 5_000;
const lockTimeoutMs = 5_000;
const statementTimeoutMs = 15_000;
const idleTransactionTimeoutMs = 15_000;
const queryTimeoutMs = 20_000;
const failureBackoff = { delayMsMin: 50, delayMsMax: 2_000 } as const;

/** BullMQ takes no schema beside a pool that it is given; the pool's search_path says where, and this tells BullMQ the same. */
class JobsConnection extends PostgresConnection {
  override readonly schema = jobsSchema;
}

/**
 * Makes or updates BullMQ's tables in the schema `jobs`. Run by the schema's owner, before any job. BullMQ would also make the schema, for which Postgres
 * asks a right on the whole database even where it is there: `provision` has made it, and the owner does without that right.
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

/** pg would read TLS in the URL in its own way. */
function pgAddress(text: string) {
  const { url, ssl } = readServerAddress(text);
  return { connectionString: url, ssl };
}

/** Jobs on Postgres: one pool for all queues of the process. */
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
  // A connection that breaks while it is idle; what needs one next is told by its own query.
  pool.on("error", () => undefined);
  const lent = new Set<pg.PoolClient>();
  pool.on("acquire", (client) => lent.add(client));
  pool.on("release", (_error, client) => lent.delete(client));
  const connection = slowToFail(pool, () => {
    for (const client of lent) cut(client);
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
    states: (queue, ids) => queues.states(queue, ids),
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
      const end = async () => {
        await worker.stop();
        pool.options.max -= 1;
      };
      return { stop: () => (ended ??= end()) };
    },
    async close() {
      await queues.close();
      await endWithAll(pool, lent);
    },
  };
}

/**
 * Ends the pool with the connections that were never given back. A worker that is closed while it starts takes a connection to listen on after it has let go
 * of all, and the pool would wait for that one for ever.
 */
async function endWithAll(pool: pg.Pool, lent: ReadonlySet<pg.PoolClient>): Promise<void> {
  const ended = pool.end();
  pool.on("acquire", (client) => setImmediate(() => takeBack(client)));
  for (const client of lent) takeBack(client);
  await ended;
}

/** Takes a connection from whoever has it. A query that was under way on it fails by that, and gives it back as well: once too often for the pool. */
function takeBack(client: pg.PoolClient): void {
  client.release(true);
  client.release = () => undefined;
}

/**
 * Lends a connection that is open. The server may have ended it in the same packet in which it let it in, and BullMQ, which listens from now on, would
 * wait for jobs on it for ever.
 */
async function lend(pool: pg.Pool): Promise<PgPoolClient> {
  const client = await pool.connect();
  if (client instanceof PgClient && client.failure !== undefined) {
    client.release(true);
    throw client.failure;
  }
  // See `slowToFail` on these types.
  return client as unknown as PgPoolClient;
}

/** Ends a connection on which BullMQ waits for jobs that come somewhere else. It makes itself another one. */
function cut(client: pg.PoolClient): void {
  if (client instanceof PgClient) client.cut();
}

/**
 * The pool as BullMQ sees it. A query that fails does so after a moment, which grows with the failures in a row: BullMQ's worker asks again at once, as
 * fast as a restarting Postgres can say no. BM001 is how BullMQ's own functions answer, and is handed on at once.
 *
 * The pool itself closes a connection whose query failed. Where the server has become read-only, `onAllDropped` is for those that are lent.
 */
function slowToFail(pool: pg.Pool, onAllDropped: () => void): PgPool {
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
  // BullMQ describes pg's pool and clients in types of its own, which pg's satisfy in fact ("Any real pg.Pool is structurally assignable") but
  // not to the letter of their generics.
  const real = pool as unknown as PgPool;
  const seen: PgPool = {
    query: (text, params) => slowly(real.query(text, params)),
    connect: () => slowly(lend(pool)),
    end: () => pool.end(),
    // BullMQ adds a listener for every queue and never takes one away. The one of this file is enough.
    on: () => seen,
    removeAllListeners: () => seen,
  };
  return seen;
}
