import { createSharedPlaces, limitKeyOf, type SharedPlaces } from "@rialto/http";
import { callErrors, refuse } from "@rialto/rpc";

/** What a password is hashed for. Each has a queue of its own. */
export type HashingKind = keyof typeof hashingQueues;

/**
 * How the queues share the workers while all of them have somebody waiting, and how many may wait in each: what is at the end of a full queue is done within
 * the five seconds of a call, at 30 ms a hash and two at once. A login is what a customer waits for; sign-ups and changes are rarer, and easily made up in numbers.
 */
export const hashingQueues = {
  login: { weight: 4, waitingMax: 160 },
  "sign-up": { weight: 1, waitingMax: 60 },
  "password-change": { weight: 1, waitingMax: 60 },
} as const;

/** Who waits for a worker, and for how long. */
export interface HashingCaller {
  readonly signal: AbortSignal;
  /** Where the call comes from; those that come from inside are one. */
  readonly clientAddress?: string;
}

/** A bounded number of workers, and a bounded queue of each kind before them. */
export interface HashingQueue {
  /**
   * Runs a task when its turn comes. Rejects with TEMPORARILY_UNAVAILABLE where too many wait already, those from the address with the most first, and with the
   * signal's reason where that comes before the turn: the place in the queue is free at once.
   */
  run<T>(kind: HashingKind, caller: HashingCaller, task: () => Promise<T>): Promise<T>;
}

/** Makes the queue. Kinds take turns by their weight, and addresses within a kind one after the other. */
export function createHashingQueue({ workersMax }: { readonly workersMax: number }): HashingQueue {
  const queues: Readonly<Record<HashingKind, KindQueue>> = {
    login: createKindQueue(hashingQueues.login.waitingMax),
    "sign-up": createKindQueue(hashingQueues["sign-up"].waitingMax),
    "password-change": createKindQueue(hashingQueues["password-change"].waitingMax),
  };
  let credits = noCredits;
  let atWork = 0;

  /** Hands a worker to the next in turn, or keeps it for who comes. */
  function release(): void {
    const turn = nextTurn(credits, (kind) => queues[kind].isWaiting());
    if (turn === undefined) {
      atWork -= 1;
      return;
    }
    credits = turn.credits;
    queues[turn.kind].next();
  }

  async function acquire(kind: HashingKind, caller: HashingCaller): Promise<void> {
    caller.signal.throwIfAborted();
    if (atWork >= workersMax) return queues[kind].wait(caller);
    atWork += 1;
  }

  return {
    async run(kind, caller, task) {
      await acquire(kind, caller);
      try {
        // Its caller may have left in the moment in which the turn came.
        caller.signal.throwIfAborted();
        return await task();
      } finally {
        release();
      }
    },
  };
}

/** What each kind has coming, in turns. */
export type Credits = Readonly<Record<HashingKind, number>>;

export const noCredits: Credits = { login: 0, "sign-up": 0, "password-change": 0 };

const kinds: readonly HashingKind[] = ["login", "sign-up", "password-change"];

/**
 * Whose turn it is among the kinds that have somebody waiting, and the credits after it; undefined where nobody waits. Each turn earns every waiting kind its weight,
 * and costs the one that has most what all earned (smooth weighted round robin, as nginx balances): turns of a kind are spread and not in a row. A kind that nobody
 * waits in earns nothing, so it has nothing to catch up.
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
  /** Gives the turn to the address that had its last one longest ago. */
  next(): void;
}

function createKindQueue(waitingMax: number): KindQueue {
  const places: SharedPlaces = createSharedPlaces(() => waitingMax);
  /** Those who wait, by address. The address whose turn is next stands first. */
  const addresses = new Map<string, Set<() => void>>();

  return {
    isWaiting: () => addresses.size > 0,
    async wait({ signal, clientAddress = "inside" }) {
      const address = limitKeyOf(clientAddress);
      const leavePlace = places.acquire({ address, account: undefined });
      if (leavePlace === undefined) throw refuse(callErrors.TEMPORARILY_UNAVAILABLE);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiting = addresses.get(address) ?? new Set();
      waiting.add(resolve);
      addresses.set(address, waiting);
      const leave = () => {
        if (!waiting.delete(resolve)) return;
        if (waiting.size === 0) addresses.delete(address);
        leavePlace();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", leave);
        leavePlace();
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
