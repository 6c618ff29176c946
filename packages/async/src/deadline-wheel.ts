/** Deadlines of many calls, by one timer. */
export interface DeadlineWheel {
  /**
   * Calls `onDeadline` once after `ms`, or up to `deadlineTickMs` later; never earlier, unless the wheel is ended.
   * Returns a function that removes it, which every call that ends in time does.
   */
  add(ms: number, onDeadline: (isEnded: boolean) => void): () => void;
  /** Calls each `onDeadline` that is left with true, now; one that is added later as soon as it is added. */
  end(): void;
}

/** How much later than its deadline a call may end. */
export const deadlineTickMs = 10;

/** Node fires a longer timer at once. */
const timerMsMax = 2 ** 31 - 1;

/** An error is thrown as a timer of its own would throw it: the other calls keep their deadlines. */
function run(onDeadline: (isEnded: boolean) => void, isEnded: boolean): void {
  try {
    onDeadline(isEnded);
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

/**
 * Creates a wheel. Deadlines within the same tick share a bucket, and one timer waits for the earliest bucket: a call
 * that ends in time, as nearly all do, costs an entry in a set instead of a timer. The timer keeps the process alive
 * while there are deadlines, as a timer of each call would.
 */
export function createDeadlineWheel(): DeadlineWheel {
  const buckets = new Map<number, Set<(isEnded: boolean) => void>>();
  let isEnded = false;
  let timer: NodeJS.Timeout | undefined;
  let timerTick = Number.POSITIVE_INFINITY;

  function waitFor(tick: number): void {
    clearTimeout(timer);
    timerTick = tick;
    const ms = Math.max(1, Math.ceil(tick * deadlineTickMs - performance.now()));
    timer = setTimeout(onTick, Math.min(ms, timerMsMax));
  }

  function onTick(): void {
    const now = performance.now();
    timerTick = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [tick, bucket] of buckets) {
      if (tick * deadlineTickMs > now) {
        next = Math.min(next, tick);
        continue;
      }
      buckets.delete(tick);
      for (const onDeadline of bucket) run(onDeadline, false);
    }
    // What ran may have added a deadline, and a timer for it.
    if (next < timerTick) waitFor(next);
  }

  return {
    add(ms, onDeadline) {
      if (isEnded) {
        run(onDeadline, true);
        return () => undefined;
      }
      const tick = Math.ceil((performance.now() + ms) / deadlineTickMs);
      const bucket = buckets.get(tick) ?? new Set();
      if (bucket.size === 0) buckets.set(tick, bucket);
      // The same function may be added twice: each time is an entry of its own.
      const entry = (isEnded: boolean) => onDeadline(isEnded);
      bucket.add(entry);
      if (tick < timerTick) waitFor(tick);
      else timer?.ref();
      return () => {
        bucket.delete(entry);
        if (bucket.size === 0 && buckets.get(tick) === bucket) buckets.delete(tick);
        // The timer stays for the next call, which is likely to be soon, and holds no process up.
        if (buckets.size === 0) timer?.unref();
      };
    },
    end() {
      isEnded = true;
      clearTimeout(timer);
      const left = [...buckets.values()];
      buckets.clear();
      for (const bucket of left) for (const onDeadline of bucket) run(onDeadline, true);
    },
  };
}
