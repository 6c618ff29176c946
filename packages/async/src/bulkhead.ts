import { createSharedPlaces } from "./fair-share.ts";
import { type Credits, nextTurn } from "./weighted-turns.ts";

/** Bounds how many do something at once, and how many wait for it. */
export interface Bulkhead {
  /**
   * Resolves with the release function when a slot is free, in turn where others wait. Rejects with `BulkheadFull`
   * where too many wait already, and with the signal's reason where the signal aborts first: the caller's place in the
   * queue is free at once. Parties take turns, and the party with the most waiting is refused first.
   */
  acquire(caller?: BulkheadCaller): Promise<() => void>;
  /** Returns the release function of a slot where one is free now. */
  tryAcquire(): (() => void) | undefined;
  /** Runs `work` with a slot of its own, which is released when the work settles. */
  run<T>(work: () => Promise<T>, caller?: BulkheadCaller): Promise<T>;
}

/** One that asks for a slot. */
export interface BulkheadCaller {
  readonly signal?: AbortSignal | undefined;
  /** For whom it asks, an address for example. All that name none are one party. */
  readonly party?: string | undefined;
}

/** The caller was refused: nothing was done for it. */
export class BulkheadFull extends Error {
  override readonly name = "BulkheadFull";
}

/** A queue of a bulkhead that several share. */
export interface BulkheadQueue {
  /** Its share of the turns while the other queues wait too. */
  readonly weight: number;
  readonly waitingMax: number;
}

/** Creates a bulkhead with `max` slots and a queue of at most `waitingMax`. */
export function createBulkhead(o: { readonly max: number; readonly waitingMax: number }): Bulkhead {
  return createWeightedBulkheads({ max: o.max, queues: { all: { weight: 1, waitingMax: o.waitingMax } } }).all;
}

/**
 * Creates bulkheads that share `max` slots, each with a queue of its own. They take turns by weight, so that no number
 * of callers of one keeps the callers of another waiting.
 */
export function createWeightedBulkheads<Queue extends string>(o: {
  readonly max: number;
  readonly queues: Readonly<Record<Queue, BulkheadQueue>>;
}): Readonly<Record<Queue, Bulkhead>> {
  // The keys of a record are those of its type.
  const names = Object.keys(o.queues) as Queue[];
  const weights = mapRecord(names, (name) => o.queues[name].weight);
  const lines = mapRecord(names, (name) => createLine(o.queues[name].waitingMax));
  let credits: Credits<Queue> = new Map();
  let acquired = 0;

  function acquireSlot(): () => void {
    acquired += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      acquired -= 1;
      grantNext();
    };
  }
  function grantNext(): void {
    if (!names.some((name) => lines[name].isWaiting())) return;
    const turn = nextTurn(
      weights,
      credits,
      names.filter((name) => lines[name].isWaiting()),
    );
    if (turn === undefined) return;
    credits = turn.credits;
    lines[turn.queue].grantNext();
  }
  function bulkheadOf(name: Queue): Bulkhead {
    const tryAcquire = () => (acquired < o.max ? acquireSlot() : undefined);
    const acquire = async (caller: BulkheadCaller = {}): Promise<() => void> => {
      caller.signal?.throwIfAborted();
      const free = tryAcquire();
      if (free !== undefined) return free;
      return lines[name].wait(caller, acquireSlot, () => {
        const { waitingMax } = o.queues[name];
        return new BulkheadFull(`All ${o.max} slots are taken, and too many of ${waitingMax} are waiting`);
      });
    };
    return {
      acquire,
      tryAcquire,
      async run(work, caller) {
        const release = await acquire(caller);
        try {
          // The caller may have left in the moment in which it got the slot.
          caller?.signal?.throwIfAborted();
          return await work();
        } finally {
          release();
        }
      },
    };
  }
  return mapRecord(names, bulkheadOf);
}

/** Those that wait in one queue. */
interface Line {
  isWaiting(): boolean;
  /** Resolves with what `acquireSlot` returns when the caller's turn comes. */
  wait(caller: BulkheadCaller, acquireSlot: () => () => void, full: () => BulkheadFull): Promise<() => void>;
  /** Gives the turn to the first caller of the party that had its last turn longest ago. */
  grantNext(): void;
}

function createLine(waitingMax: number): Line {
  const places = createSharedPlaces(() => waitingMax);
  /** By party. The party whose turn is next comes first. */
  const parties = new Map<string | undefined, Set<() => void>>();

  return {
    isWaiting: () => parties.size > 0,
    wait({ signal, party }, acquireSlot, full) {
      const releasePlace = places.acquire({ address: party, account: undefined });
      if (releasePlace === undefined) throw full();
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      const callers = parties.get(party) ?? new Set();
      parties.set(party, callers);
      const grant = () => {
        leave();
        resolve(acquireSlot());
      };
      const onAbort = () => {
        leave();
        reject(signal?.reason);
      };
      const leave = () => {
        callers.delete(grant);
        if (callers.size === 0) parties.delete(party);
        releasePlace();
        signal?.removeEventListener("abort", onAbort);
      };
      callers.add(grant);
      signal?.addEventListener("abort", onAbort, { once: true });
      return promise;
    },
    grantNext() {
      const [first] = parties;
      if (first === undefined) return;
      const [party, callers] = first;
      const [grant] = callers;
      // The party moves behind the others before its caller leaves, which removes the party where no other caller of it
      // waits.
      parties.delete(party);
      parties.set(party, callers);
      grant?.();
    },
  };
}

function mapRecord<Key extends string, Value>(keys: readonly Key[], make: (key: Key) => Value): Record<Key, Value> {
  // Each key gets a value.
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<Key, Value>;
}
