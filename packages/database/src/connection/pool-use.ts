import type postgres from "postgres";
import { type DriverQuery, hookQueries } from "./query-hooks.ts";

/** How much of a pool of connections is used. */
export interface PoolUse {
  /** "order", or "order writers" where a schema has more pools than its main one. */
  readonly name: string;
  readonly connectionsMax: number;
  /**
   * Statements and transactions that are not answered. More than there are connections: the others wait for one, or in
   * a connection behind what it was given before.
   */
  readonly inFlight: number;
}

/** The count of one pool. */
export interface PoolCount {
  inFlight: number;
}

/**
 * Counts the statements of a pool in `count`, from when each is sent until it is answered. Those of a transaction are
 * not counted: `countTransaction` counts the transaction itself.
 */
export function countStatements<S extends postgres.Sql<{ bigint: bigint }>>(sql: S, count: PoolCount): S {
  return hookQueries(sql, (query) => countQuery(query, count));
}

function countQuery(query: DriverQuery, count: PoolCount): void {
  const { handler } = query;
  // Functions that are assigned as they are written are allocated in the old generation, as if they were the methods of
  // a class, and with them lives what a statement returned.
  const counted = (sent: DriverQuery) => {
    const { resolve, reject } = sent;
    const answered = holdPlace(count);
    const resolveCounted = (result: unknown) => {
      answered();
      return resolve(result);
    };
    const rejectCounted = (error: unknown) => {
      answered();
      return reject(error);
    };
    sent.resolve = resolveCounted;
    sent.reject = rejectCounted;
    return handler(sent);
  };
  query.handler = counted;
}

/** Counts a transaction from the beginning of its work until it has ended. Its BEGIN is a statement of the pool. */
export async function countTransaction<Tx>(
  count: PoolCount,
  work: (tx: Tx) => unknown,
  transact: (work: (tx: Tx) => unknown) => Promise<unknown>,
): Promise<unknown> {
  let ended = () => {};
  try {
    return await transact((tx) => {
      ended = holdPlace(count);
      return work(tx);
    });
  } finally {
    ended();
  }
}

/** Counts one more in flight, until the returned function is called for the first time. */
function holdPlace(count: PoolCount): () => void {
  let isHeld = true;
  count.inFlight += 1;
  return () => {
    if (isHeld) count.inFlight -= 1;
    isHeld = false;
  };
}
