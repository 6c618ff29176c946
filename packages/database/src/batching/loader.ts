import { type CancelSignal, raceSignal } from "@rialto/async";
import { isRefused } from "../connection/outage.ts";
import { createBatcher, statementOverlap } from "./batcher.ts";
import { deepFrozen } from "./deep-frozen.ts";

/** Answers questions to the database. Those that wait at the same moment travel in one statement. */
export interface Loader<Question, Answer> {
  /**
   * Resolves with the answer, which is as new as the call: a question joins only a statement that is not sent yet.
   * Rejects with the signal's reason as soon as that aborts, also while the statement runs, whose other questions go
   * on; with `QueueFull` where too many wait; and with the error of the statement. A question that Postgres refuses (an
   * id that is none) fails alone. Who asked the same shares the answer: do not change it.
   */
  load(question: Question, o?: { readonly signal?: CancelSignal | undefined }): Promise<Readonly<Answer>>;
}

/** Two, so that a statement that is slow, or whose connection is lost, does not hold up all others. */
const statementsAtOnceMax = 2;
/** Enough for all that comes in while a statement runs. One of this size takes a few milliseconds. */
const questionsMaxDefault = 256;
const queueMaxDefault = 10_000;

/**
 * Creates a loader. `read` answers questions by one statement, in their order. It must not fail for a question whose
 * answer does not exist, nor for one whose row cannot be used: who asked looks at the answer.
 */
export function createLoader<Question, Answer>(o: {
  readonly read: (questions: readonly Question[]) => Promise<readonly Answer[]>;
  /** In one statement. */
  readonly questionsMax?: number;
  /** That wait for a statement. */
  readonly queueMax?: number;
  /** Whether a change of an answer throws, as `Database.freezesShared` says. */
  readonly freezes?: boolean | undefined;
}): Loader<Question, Answer> {
  const { read, freezes = false } = o;
  const batcher = createBatcher<Question, Answer>({
    inFlightMax: statementsAtOnceMax,
    // Fewer statements cost less than shorter ones.
    divides: false,
    overlap: statementOverlap,
    batchMax: o.questionsMax ?? questionsMaxDefault,
    queueMax: o.queueMax ?? queueMaxDefault,
    keysOf: () => [],
    send: freezes ? async (questions) => (await read(questions)).map(deepFrozen) : read,
    onFailure: (error) => (isRefused(error) ? "halve" : "fail"),
  });
  return {
    load(question, { signal } = {}) {
      const answer = batcher.add(question, { signal });
      return signal === undefined ? answer : raceSignal(answer, signal);
    },
  };
}

/**
 * Creates a loader of rows by a UUID of theirs, in whatever case it is asked for; the answer is undefined where there
 * is no row. `read` gets each id once, and returns the rows that exist, in any order.
 */
export function createRowLoader<Row>(o: {
  readonly read: (ids: readonly string[]) => Promise<readonly Row[]>;
  readonly idOf: (row: Row) => string;
  /** As in `createLoader`. */
  readonly freezes?: boolean | undefined;
}): Loader<string, Row | undefined> {
  return createLoader({
    freezes: o.freezes,
    async read(asked) {
      const ids = asked.map((id) => id.toLowerCase());
      const rows = await o.read([...new Set(ids)]);
      const byId = new Map(rows.map((row) => [o.idOf(row), row]));
      return ids.map((id) => byId.get(id));
    },
  });
}
