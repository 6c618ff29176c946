/** The result of counting one request. */
export interface Verdict {
  readonly isAllowed: boolean;
  /** The number of requests that a window allows. */
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/** Counts requests per key in this process. The window of a key begins with its first request. */
export interface WindowCounter {
  /** Counts one request. Refused ones count too. */
  count(key: string): Verdict;
  /** Takes back one request of a window that has not ended. */
  giveBack(key: string): void;
  /** Ends the window of a key. */
  forget(key: string): void;
}

/** Keys that are counted at once. Beyond it the windows that began first end early. */
const keysMaxDefault = 1_000_000;

/** How many windows are looked at for each one that begins: more than one, so that ended ones get fewer. */
const sweptPerWindow = 2;

interface Window {
  requests: number;
  readonly endsAt: number;
}

/**
 * Creates a counter. A request costs a look-up, and no promise and no timer: windows that have ended are dropped when
 * others begin. All are of the same length, so they end in the order in which they began, which is that of the map.
 */
export function createWindowCounter(o: {
  readonly requests: number;
  readonly windowMs: number;
  readonly keysMax?: number;
}): WindowCounter {
  const { requests: limit, windowMs, keysMax = keysMaxDefault } = o;
  const windows = new Map<string, Window>();

  function begin(key: string, now: number): Window {
    windows.delete(key);
    dropOldest(now);
    const window = { requests: 0, endsAt: now + windowMs };
    windows.set(key, window);
    return window;
  }

  function dropOldest(now: number): void {
    let looked = 0;
    for (const [key, { endsAt }] of windows) {
      const isOver = endsAt <= now || windows.size >= keysMax;
      if (looked === sweptPerWindow || !isOver) return;
      windows.delete(key);
      looked += 1;
    }
  }

  return {
    count(key) {
      const now = Date.now();
      const known = windows.get(key);
      const window = known === undefined || known.endsAt <= now ? begin(key, now) : known;
      window.requests += 1;
      const { requests, endsAt } = window;
      return {
        isAllowed: requests <= limit,
        limit,
        remaining: Math.max(0, limit - requests),
        resetMs: endsAt - now,
      };
    },
    giveBack(key) {
      const window = windows.get(key);
      if (window !== undefined && window.endsAt > Date.now()) window.requests -= 1;
    },
    forget: (key) => void windows.delete(key),
  };
}
