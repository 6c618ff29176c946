import type postgres from "postgres";
import type { Sql } from "./connection/connection.ts";
import { sql as fragment, integer, timestamp } from "./drizzle.ts";

/**
 * The columns of a subject's row that say how often a sweeper has tried it and when it may try it again. The group
 * commit does not write them: a row that moves on has another version than `attemptVersion`, and starts anew.
 *
 * A table with these columns adds an index on `attemptDue`, with the predicate of what its sweeper looks for.
 */
export function attemptColumns() {
  return {
    attempts: integer("attempts").notNull().default(0),
    /** The row's version when it was tried last. */
    attemptVersion: integer("attempt_version").notNull().default(0),
    nextAttemptTime: timestamp("next_attempt_time", { withTimezone: true }).notNull().defaultNow(),
  };
}

const due = "(case when attempt_version = version then next_attempt_time else update_time end)";

/** When a row may be tried: since it was written last, or since the pause after its last attempt is over. */
export const attemptDue = fragment.raw(due);

/**
 * Takes up to `limit` rows of `table` to try them, those that have been due the longest first, and moves each one's
 * next attempt on before anything is tried: a row that fails goes behind all the others, whatever becomes of the
 * process that tries it. Pauses double with the attempts at one version, from `delayMsMin` to `delayMsMax`, each
 * shortened by up to half of it at random. Times are those of Postgres.
 *
 * `among` is the predicate of the index on `attemptDue`, word for word. `untouchedSince` leaves out rows that may still
 * be in work. A locked row is skipped.
 */
export async function claimAttempts<Row extends object>(
  sql: Sql,
  o: {
    readonly table: string;
    readonly among: postgres.PendingQuery<postgres.Row[]>;
    readonly untouchedSince: Date;
    readonly limit: number;
    readonly delayMsMin: number;
    readonly delayMsMax: number;
  },
): Promise<readonly Row[]> {
  const { table, among, untouchedSince, limit, delayMsMin, delayMsMax } = o;
  const before = sql`case when attempt_version = version then attempts else 0 end`;
  return await sql<Row[]>`
    update ${sql(table)} set attempts = ${before} + 1, attempt_version = version,
      next_attempt_time = clock_timestamp() + (0.5 + random() / 2)
        * least(${delayMsMax}::float8, ${delayMsMin}::float8 * 2 ^ least(${before}, 30)) * interval '1 millisecond'
    where id = any (array(
      select id from ${sql(table)}
      where ${among} and (attempt_version <> version or next_attempt_time <= now()) and update_time < ${untouchedSince}
      order by ${sql.unsafe(due)}, id limit ${limit} for update skip locked))
    returning *`;
}
