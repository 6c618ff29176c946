import { createSharedPlaces, limitKeyOf, type SharedPlaces } from "@rialto/http";
import { callErrors, refuse } from "@rialto/rpc";

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
  const queues: Readonly<Record<HashingKind, KindQueue>> = {
    login: createKindQueue(hashingQueues.login.waitingMax),
    "sign-up": createKindQueue(hashingQueues["sign-up"].waitingMax),
    "password-change": createKindQueue(hashingQueues["password-change"].waitingMax),
  };
  let credits = noCredits;
  let running = 0;

  /** Gives the worker to the next waiting task, or makes it idle. */
  function release(): void {
    const turn = nextTurn(credits, (kind) => queues[kind].isWaiting());
    if (turn === undefined) {
      running -= 1;
      return;
    }
    credits = turn.credits;
    queues[turn.kind].next();
  }

  async function acquire(kind: HashingKind, caller: HashingCaller): Promise<void> {
    caller.signal.throwIfAborted();
    if (running >= workersMax) return queues[kind].wait(caller);
    running += 1;
  }

  return {
    async run(kind, caller, task) {
      await acquire(kind, caller);
      try {
        // The caller may have canceled just before its turn.
        caller.signal.throwIfAborted();
        return await task();
      } finally {
        release();
      }
    },
  };
}

/** The credit of each kind in the weighted round robin. */
export type Credits = Readonly<Record<HashingKind, number>>;

export const noCredits: Credits = { login: 0, "sign-up": 0, "password-change": 0 };

const kinds: readonly HashingKind[] = ["login", "sign-up", "password-change"];

/**
 * Returns the next kind among those with waiting tasks, and the credits after its turn; undefined if nothing waits. In
 * each turn, every waiting kind earns its weight, and the one with the most credit pays the sum (smooth weighted round
 * robin, as in nginx). This spreads the turns of a kind. A kind without waiting tasks earns nothing, so it cannot build
 * up credit.
 */
export function nextTurn(
  credits: Credits,
  isWaiting: (kind: HashingKind) => boolean,
): { readonly kind: HashingKind; readonly credits: Credits } | undefined {
  const waiting = kinds.filter(isWaiting);
  const earned: Record<HashingKind, number> = { ...noCredits };
  let total = 0;
  let best: HashingKind | undefined;
  for (const kind of waiting) {
    const { weight } = hashingQueues[kind];
    earned[kind] = credits[kind] + weight;
    total += weight;
    if (best === undefined || earned[kind] > earned[best]) best = kind;
  }
  if (best === undefined) return undefined;
  earned[best] -= total;
  return { kind: best, credits: earned };
}

interface KindQueue {
  isWaiting(): boolean;
  /** Resolves when it is the caller's turn. */
  wait(caller: HashingCaller): Promise<void>;
  /** Gives the turn to the address whose last turn was the longest ago. */
  next(): void;
}

function createKindQueue(waitingMax: number): KindQueue {
  const places: SharedPlaces = createSharedPlaces(() => waitingMax);
  /** Waiting callers by address. The first address is the next in turn. */
  const addresses = new Map<string, Set<() => void>>();

  return {
    isWaiting: () => addresses.size > 0,
    async wait({ signal, clientAddress = "inside" }) {
      const address = limitKeyOf(clientAddress);
      const releasePlace = places.acquire({ address, account: undefined });
      if (releasePlace === undefined) throw refuse(callErrors.TEMPORARILY_UNAVAILABLE);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiting = addresses.get(address) ?? new Set();
      waiting.add(resolve);
      addresses.set(address, waiting);
      const leave = () => {
        if (!waiting.delete(resolve)) return;
        if (waiting.size === 0) addresses.delete(address);
        releasePlace();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", leave);
        releasePlace();
      }
    },
    next() {
      for (const [address, waiting] of addresses) {
        const [turn] = waiting;
        if (turn === undefined) continue;
        waiting.delete(turn);
        addresses.delete(address);
        if (waiting.size > 0) addresses.set(address, waiting);
        turn();
        return;
      }
    },
  };
}
