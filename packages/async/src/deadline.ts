import { type CancelSignal, onAbort } from "./lazy-signal.ts";
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
export function raceSignal<T>(work: Promise<T>, signal: CancelSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const ignore = onAbort(signal, () => reject(signal.reason));
    work.then(
      (value) => {
        ignore();
        resolve(value);
      },
      (error: unknown) => {
        ignore();
        reject(error);
      },
    );
  });
}
