import { deadlineTickMs } from "../limits.ts";

/** The deadlines of all calls of an endpoint or an upstream, by one timer. */
export interface DeadlineWheel {
  /**
   * Calls `onDeadline` once after `ms`, or up to `deadlineTickMs` later; never earlier. Returns a function that removes
   * it, which every call that ends in time does.
   */
  add(ms: number, onDeadline: () => void): () => void;
}

/**
 * Creates a wheel. Deadlines within the same tick share a bucket, and one timer waits for the earliest bucket: a call
 * that ends in time, as nearly all do, costs an entry in a set instead of a timer. The timer keeps the process alive
 * while there are deadlines, as a timer of each call would.
 */
export function createDeadlineWheel(): DeadlineWheel {
  const buckets = new Map<number, Set<() => void>>();
  let timer: NodeJS.Timeout | undefined;
  let timerTick = Number.POSITIVE_INFINITY;

  function waitFor(tick: number): void {
    clearTimeout(timer);
    timerTick = tick;
    timer = setTimeout(onTick, Math.max(1, Math.ceil(tick * deadlineTickMs - performance.now())));
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
      for (const onDeadline of bucket) onDeadline();
    }
    // What ran may have added a deadline, and a timer for it.
    if (next < timerTick) waitFor(next);
  }

  return {
    add(ms, onDeadline) {
      const tick = Math.ceil((performance.now() + ms) / deadlineTickMs);
      const bucket = buckets.get(tick) ?? new Set();
      if (bucket.size === 0) buckets.set(tick, bucket);
      bucket.add(onDeadline);
      if (tick < timerTick) waitFor(tick);
      else timer?.ref();
      return () => {
        bucket.delete(onDeadline);
        if (bucket.size === 0 && buckets.get(tick) === bucket) buckets.delete(tick);
        // The timer stays for the next call, which is likely to be soon, and holds no process up.
        if (buckets.size === 0) timer?.unref();
      };
    },
  };
}
