/**
 * Requests that start in one turn of the event loop while others wait. Few, so that a turn stays short for requests in
 * flight.
 */
const perTurnDefault = 4;
/** Requests that wait: of one key, and of all. */
const waitingPerKeyMax = 2_000;
const waitingMax = 10_000;

/** A request that may have to wait. */
export interface QueuedRequest {
  /** Its client is gone: it does not start. */
  isGone(): boolean;
  /** Called in a later turn of the event loop, where it waits. It must not throw. */
  start(): void;
}

/** Starts the requests of many keys in fair order. */
export interface FairQueue {
  /**
   * Takes a place for a request. It may start now, or waits for its turn; "full" where as many wait as may wait, of
   * this key or of all. The turn of a request whose client is gone goes to the next.
   */
  enter(key: string, request: QueuedRequest): "now" | "waiting" | "full";
}

/**
 * Starts a few requests in each turn of the event loop, one per key in round-robin order (fair queueing, RFC 970).
 * Without it, a client that sends thousands of requests at once would delay every step of everyone else's, because Node
 * starts all requests that have arrived before it continues those in flight. While nothing waits, a request starts at
 * once.
 */
export function createFairQueue({ perTurn = perTurnDefault }: { readonly perTurn?: number } = {}): FairQueue {
  /** In the order of their next turn. */
  const queues = new Map<string, QueuedRequest[]>();
  let waiting = 0;
  let started = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(turn);
  }

  function turn(): void {
    isScheduled = false;
    started = 0;
    for (const [key, queue] of queues) {
      queues.delete(key);
      const next = takeFirst(queue);
      // Appended to the map, so this loop reaches it again only after all others.
      if (queue.length > 0) queues.set(key, queue);
      if (next === undefined) continue;
      started += 1;
      next.start();
      if (started === perTurn) break;
    }
    if (started > 0) schedule();
  }

  /** Takes the first request whose client is still connected. */
  function takeFirst(queue: QueuedRequest[]): QueuedRequest | undefined {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      waiting -= 1;
      if (!next.isGone()) return next;
    }
    return undefined;
  }

  return {
    enter(key, request) {
      if (waiting === 0 && started < perTurn) {
        started += 1;
        schedule();
        return "now";
      }
      const queue = queues.get(key) ?? [];
      if (waiting >= waitingMax || queue.length >= waitingPerKeyMax) return "full";
      queue.push(request);
      queues.set(key, queue);
      waiting += 1;
      schedule();
      return "waiting";
    },
  };
}
