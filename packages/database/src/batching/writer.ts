import { codeOf, isRefused } from "../connection/outage.ts";
import { createBatcher, statementOverlap } from "./batcher.ts";

/** Writes rows. Those that wait at the same moment are written by one statement. */
export interface Writer<Row, Result> {
  /**
   * Resolves with the row's own result once its statement has committed. A row that Postgres refuses fails alone.
   * Rejects with `QueueFull` where too many wait, and with the error of the statement, after which it may have been
   * written.
   */
  write(row: Row): Promise<Result>;
}

/** Two, so that a statement that is slow, or whose connection is lost, does not hold up all others. */
const statementsAtOnceMax = 2;
const rowsMaxDefault = 128;
const queueMax = 10_000;

/**
 * Creates a writer. `send` writes rows by one statement and returns their results in the same order. It may be called
 * again with rows that it was given before and that Postgres has not written. `keyOf`: rows with one key are not in one
 * statement, nor in two at a time.
 */
export function createWriter<Row, Result>(o: {
  readonly send: (rows: readonly Row[]) => Promise<readonly Result[]>;
  readonly keyOf: (row: Row) => string;
  /** In one statement. */
  readonly rowsMax?: number;
}): Writer<Row, Result> {
  const batcher = createBatcher<Row, Result>({
    inFlightMax: statementsAtOnceMax,
    // Fewer statements cost less than shorter ones.
    divides: false,
    overlap: statementOverlap,
    batchMax: o.rowsMax ?? rowsMaxDefault,
    queueMax,
    keysOf: (row) => [o.keyOf(row)],
    send: o.send,
    onFailure: (error) => (isRefused(error) ? "halve" : codeOf(error).startsWith("40") ? "again" : "fail"),
  });
  return { write: (row) => batcher.add(row) };
}
