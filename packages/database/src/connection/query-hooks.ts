import type postgres from "postgres";

/** What our hooks use of the driver's query, beside what its types say: it is sent by its handler, and then settled. */
export interface DriverQuery {
  handler: (query: DriverQuery) => unknown;
  resolve: (result: unknown) => unknown;
  reject: (error: unknown) => unknown;
  /** The statement with its placeholders, once it was written for the server. */
  readonly string?: string;
}

/** A pool, or one transaction on it. */
type Tagged = postgres.Sql<{ bigint: bigint }> | postgres.TransactionSql<{ bigint: bigint }>;

/**
 * Calls `onMade` with each query that is made, before it is sent. A fragment is one too, and is never sent by itself.
 */
export function hookQueries<S extends Tagged>(sql: S, onMade: (query: DriverQuery) => void): S {
  const { unsafe } = sql;
  // The driver's functions are closures: who they are called on does not matter. Its queries have what `DriverQuery`
  // says, which their types leave out.
  const hookedUnsafe = (...args: Parameters<typeof unsafe>) => {
    const query = unsafe(...args);
    onMade(query as unknown as DriverQuery);
    return query;
  };
  Object.assign(sql, { unsafe: hookedUnsafe });
  return new Proxy(sql, {
    apply(target, self, args) {
      const made: unknown = Reflect.apply(target, self, args);
      // A helper for names and lists is no query.
      if (made instanceof Promise) onMade(made as unknown as DriverQuery);
      return made;
    },
  });
}
