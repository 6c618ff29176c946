import { withTimeout } from "@rialto/async";
import type { Sql } from "../connection/connection.ts";
import { DatabaseUnreachable } from "../connection/errors.ts";

/** Executes a statement whose one parameter is a JSON array of these objects, given as text. Returns the rows. */
export type Execute = <T extends object>(text: string, objects: readonly string[]) => Promise<readonly T[]>;

/** How many statements may be late before no more are sent. */
const lateStatementsMax = 2;

/**
 * Executes over these connections and waits at most `answerMsMax`.
 *
 * The driver limits how long a connection may be silent, not how long a statement may wait for a connection. A late
 * statement is not canceled (the driver cannot, before it is sent): its outcome is unknown. Until the late ones have
 * ended, others are refused at once, so that they do not pile up.
 */
export function executeWithTimeout(sql: Sql, answerMsMax: number): Execute {
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
