import { sleep } from "./sleep.ts";

/**
 * Resolves or rejects as `work` does, or resolves with `late` where that takes longer than `ms`. The work is not
 * stopped; a failure after its time is ignored.
 */
export async function withTimeout<T, const Late>(work: PromiseLike<T>, ms: number, late: Late): Promise<T | Late> {
  const settled = new AbortController();
  try {
    return await Promise.race([work, sleep(ms, { signal: settled.signal }).then(() => late)]);
  } finally {
    settled.abort();
  }
}

/**
 * Resolves or rejects as `work` does, or rejects with the reason of `signal` where that aborts first. The work must
 * watch the signal itself to stop; a failure after the abort is ignored.
 */
export async function raceSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
