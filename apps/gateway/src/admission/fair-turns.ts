/** Requests that begin in one turn of the event loop, while others wait. Few, so that a turn is short for what is at work already. */
const perTurnDefault = 4;
/** Requests of one asker, and of all, that wait for their turn. */
const waitingOfOneMax = 2_000;
const waitingMax = 10_000;

/** What becomes of a request that asks for its turn. */
export type Turn =
  /** It may begin. */
  | { readonly kind: "now" }
  /** It may begin when this resolves with true; with false, its client went away meanwhile. */
  | { readonly kind: "later"; readonly began: Promise<boolean> }
  /** Its asker, or all, have as many waiting as may wait. */
  | { readonly kind: "full" };

/** Requests of many askers, begun in turns. */
export interface FairTurns {
  /** Asks for a turn. Where the client is gone when it comes, nothing begins and the turn goes to the next. */
  ask(asker: string, isGone: () => boolean): Turn;
}

interface Waiting {
  readonly isGone: () => boolean;
  readonly begin: (began: boolean) => void;
}

/**
 * Lets a few requests begin in each turn of the event loop, one of each asker after the other (fair queueing, RFC 970). Node handles all that has arrived before it
 * goes on with what is at work, so an asker with thousands of requests at once makes each step of everybody else's wait for all of them; here they wait for
 * each other. Where nobody waits, a request begins at once.
 */
export function createFairTurns({ perTurn = perTurnDefault }: { readonly perTurn?: number } = {}): FairTurns {
  /** In the order of their next turn. */
  const queues = new Map<string, Waiting[]>();
  let waiting = 0;
  let begun = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(turn);
  }

  function turn(): void {
    isScheduled = false;
    begun = 0;
    for (const [asker, queue] of queues) {
      queues.delete(asker);
      const next = takeFirst(queue);
      // Behind all others; the loop comes to it again only after them.
      if (queue.length > 0) queues.set(asker, queue);
      if (next === undefined) continue;
      begun += 1;
      next.begin(true);
      if (begun === perTurn) break;
    }
    if (begun > 0) schedule();
  }

  /** The first whose client is still there. */
  function takeFirst(queue: Waiting[]): Waiting | undefined {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      waiting -= 1;
      if (!next.isGone()) return next;
      next.begin(false);
    }
    return undefined;
  }

  return {
    ask(asker, isGone) {
      if (waiting === 0 && begun < perTurn) {
        begun += 1;
        schedule();
        return { kind: "now" };
      }
      const queue = queues.get(asker) ?? [];
      if (waiting >= waitingMax || queue.length >= waitingOfOneMax) return { kind: "full" };
      const { promise, resolve } = Promise.withResolvers<boolean>();
      queue.push({ isGone, begin: resolve });
      queues.set(asker, queue);
      waiting += 1;
      schedule();
      return { kind: "later", began: promise };
    },
  };
}
