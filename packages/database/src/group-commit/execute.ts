import { withTimeout } from "@rialto/async";
import type { Sql } from "../connection/connection.ts";
import { DatabaseUnreachable } from "../connection/errors.ts";

/** Sends a statement whose one parameter is a JSON array, its objects given as text, and returns the rows. */
export type Execute = <T extends object>(text: string, objects: readonly string[]) => Promise<readonly T[]>;

/** So many statements may be without an answer after their time before nothing more is sent. */
const lateStatementsMax = 2;

/**
 * Asks over these connections and waits at most `answerMsMax`.
 *
 * The driver's bound is on a connection that is silent, and not on a statement, which may wait for a connection first, and that for
 * others. A statement that is late is not taken back (the driver cannot, before it is sent): its outcome is unknown, and until the
 * late ones have ended others are refused at once, so that they do not pile up.
 */
export function createExecute(sql: Sql, answerMsMax: number): Execute {
  let late = 0;
  return async <T extends object>(text: string, objects: readonly string[]) => {
    if (late >= lateStatementsMax) throw new DatabaseUnreachable("Postgres has not answered for a while.");
    const query = sql.unsafe<T[]>(text, [`[${objects.join(",")}]`], { prepare: true });
    const rows = await withTimeout(query, answerMsMax, undefined);
    if (rows !== undefined) return rows;
    late += 1;
    const ended = () => {
      late -= 1;
    };
    query.then(ended, ended);
    throw new DatabaseUnreachable("Postgres did not answer in time.");
  };
}
