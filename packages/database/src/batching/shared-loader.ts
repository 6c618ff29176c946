import { raceSignal } from "@rialto/async";
import { QueueFull } from "../connection/errors.ts";
import { type Batcher, createBatcher, statementOverlap } from "./batcher.ts";
import { deepFrozen } from "./deep-frozen.ts";
import type { Loader } from "./loader.ts";

/** For each question. Two, so that a statement that is slow, or whose connection is lost, holds up no others. */
const statementsAtOnceMax = 2;
/** More than come in while a statement runs. They cost it nothing. */
const sharersMax = 10_000;
const waitingMaxDefault = 10_000;

/** Those that ask the same. */
interface Sharers<Question, Answer> {
  readonly batcher: Batcher<Question, Answer>;
  waiting: number;
}

/**
 * Creates a loader of answers that take a statement each, as the page of a list does: who asks the same at the same
 * moment shares the statement, and the answer. As with `createLoader` a question joins only a statement that is not
 * sent yet, each keeps its own deadline, and what one statement fails with is the error of those that share it alone.
 *
 *     const pages = createSharedLoader({ read: (page) => readPage(page), keyOf: (page) => JSON.stringify(page) });
 */
export function createSharedLoader<Question, Answer>(o: {
  readonly read: (question: Question) => Promise<Answer>;
  /** Questions with one key have one answer. */
  readonly keyOf: (question: Question) => string;
  /** Questions that wait, all together. */
  readonly waitingMax?: number;
  /** As in `createLoader`. */
  readonly freezes?: boolean | undefined;
}): Loader<Question, Answer> {
  const { read, keyOf, waitingMax = waitingMaxDefault, freezes = false } = o;
  const byKey = new Map<string, Sharers<Question, Answer>>();
  let waiting = 0;

  async function send(questions: readonly Question[]): Promise<readonly Answer[]> {
    // A batch has one at the least.
    const answer = await read(questions[0] as Question);
    if (freezes) deepFrozen(answer);
    return questions.map(() => answer);
  }

  const open = (): Sharers<Question, Answer> => ({
    batcher: createBatcher<Question, Answer>({
      inFlightMax: statementsAtOnceMax,
      divides: false,
      overlap: statementOverlap,
      batchMax: sharersMax,
      queueMax: sharersMax,
      keysOf: () => [],
      send,
      // The same statement would fail again.
      onFailure: () => "fail",
    }),
    waiting: 0,
  });

  return {
    async load(question, { signal } = {}) {
      if (waiting >= waitingMax) throw new QueueFull(waitingMax);
      const key = keyOf(question);
      const sharers = byKey.get(key) ?? open();
      byKey.set(key, sharers);
      waiting += 1;
      sharers.waiting += 1;
      try {
        const answer = sharers.batcher.add(question, { signal });
        return await (signal === undefined ? answer : raceSignal(answer, signal));
      } finally {
        waiting -= 1;
        sharers.waiting -= 1;
        if (sharers.waiting === 0) byKey.delete(key);
      }
    },
  };
}
