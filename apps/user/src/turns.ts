import { callErrors, refuse } from "@rialto/rpc";

/** Lets a bounded number of tasks work at once, and a bounded number wait. */
export interface Turns {
  /** Runs a task when its turn comes. Refused at once where too many wait; taken out of the queue when the signal fires. */
  take<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createTurns(o: { readonly atOnceMax: number; readonly waitingMax: number }): Turns {
  const waiting = new Set<() => void>();
  let atWork = 0;

  async function turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (atWork < o.atOnceMax) {
      atWork += 1;
      return;
    }
    if (waiting.size >= o.waitingMax) throw refuse(callErrors.TEMPORARILY_UNAVAILABLE);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      waiting.delete(resolve);
      reject(signal.reason);
    };
    waiting.add(resolve);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Hands the turn to the one that has waited longest. */
  function done(): void {
    const [next] = waiting;
    if (next === undefined) {
      atWork -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async take(task, signal) {
      await turn(signal);
      try {
        return await task();
      } finally {
        done();
      }
    },
  };
}
