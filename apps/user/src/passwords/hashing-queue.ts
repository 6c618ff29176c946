import { type Bulkhead, BulkheadFull, createWeightedBulkheads } from "@rialto/async";
import { limitKeyOf } from "@rialto/http";
import { CallError, callErrors } from "@rialto/rpc";

/** The purpose of a hash. Each has its own queue. */
export type HashingKind = keyof typeof hashingQueues;

/**
 * The share of the workers that each queue gets while all are in use, and the bound of each queue. The last entry of a
 * full queue starts within the five seconds of a call, at 30 ms per hash and two at once. Customers wait for logins;
 * sign-ups and password changes are rarer, and easy to fake in large numbers.
 */
export const hashingQueues = {
  login: { weight: 4, waitingMax: 160 },
  "sign-up": { weight: 1, waitingMax: 60 },
  "password-change": { weight: 1, waitingMax: 60 },
} as const;

/** A caller that waits for a worker. */
export interface HashingCaller {
  readonly signal: AbortSignal;
  /** The client's address. Calls from inside share one. */
  readonly clientAddress?: string;
}

/** A bounded number of workers, with a bounded queue for each kind. */
export interface HashingQueue {
  /**
   * Runs a task when its turn comes. Rejects with TEMPORARILY_UNAVAILABLE if too many callers wait, refusing the
   * address with the most first. Rejects with the signal's reason if it aborts before the turn; the place in the queue
   * is then free at once.
   */
  run<T>(kind: HashingKind, caller: HashingCaller, task: () => Promise<T>): Promise<T>;
}

/** Creates the queue. Kinds take turns by weight, and the addresses within a kind take turns equally. */
export function createHashingQueue({ workersMax }: { readonly workersMax: number }): HashingQueue {
  const bulkheads: Readonly<Record<HashingKind, Bulkhead>> = createWeightedBulkheads({
    max: workersMax,
    queues: hashingQueues,
  });
  return {
    run: (kind, { signal, clientAddress = "inside" }, task) =>
      bulkheads[kind].run(task, { signal, party: limitKeyOf(clientAddress) }).catch((cause: unknown) => {
        throw cause instanceof BulkheadFull ? new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause }) : cause;
      }),
  };
}
