/** Calls that end at their deadlines, by one timer together. */
export interface DeadlineWheel {
  /**
   * Calls `onPassed` once `atMs` has passed, by the clock of `performance.now()`: never earlier, and up to a step
   * later. Returns a function that takes it out again; without effect once it was called.
   */
  add(atMs: number, onPassed: () => void): () => void;
}

/**
 * Creates a wheel. Deadlines that fall into the same step are in one bucket, so that a call costs an entry in a set and
 * no timer of its own. The timer is set for the earliest bucket. It is not moved when a bucket becomes empty: most
 * calls end long before their deadline, and it then fires once for nothing.
 */
export function createDeadlineWheel(stepMs: number = deadlineStepMs): DeadlineWheel {
  const buckets = new Map<number, Set<() => void>>();
  let timer: NodeJS.Timeout | undefined;
  let timerBucket = Number.POSITIVE_INFINITY;

  const setTimer = (bucket: number) => {
    clearTimeout(timer);
    timerBucket = bucket;
    const ms = Math.min(Math.max(0, bucket * stepMs - performance.now()), timerMsMax);
    timer = setTimeout(turn, Math.ceil(ms));
    timer.unref();
  };
  const turn = () => {
    const now = performance.now();
    timerBucket = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [bucket, entries] of buckets) {
      if (bucket * stepMs > now) {
        next = Math.min(next, bucket);
        continue;
      }
      buckets.delete(bucket);
      for (const onPassed of entries) onPassed();
    }
    if (next < timerBucket) setTimer(next);
  };

  return {
    add(atMs, onPassed) {
      const bucket = Math.ceil(atMs / stepMs);
      const entries = buckets.get(bucket) ?? new Set();
      if (entries.size === 0) buckets.set(bucket, entries);
      // The same function may be added twice: each time is an entry of its own.
      const entry = () => onPassed();
      entries.add(entry);
      if (bucket < timerBucket) setTimer(bucket);
      return () => {
        entries.delete(entry);
        if (entries.size === 0 && buckets.get(bucket) === entries) buckets.delete(bucket);
      };
    },
  };
}

/** How much later than its deadline a call may end. */
const deadlineStepMs = 8;

/** Node fires a longer timer at once. */
const timerMsMax = 2 ** 31 - 1;
