import { type CancelSignal, onAbort } from "./lazy-signal.ts";

/**
 * Resolves or rejects as `work` does, or resolves with `late` where that takes longer than `ms`. The work is not
 * stopped; a failure after its time is ignored.
 */
export function withTimeout<T, const Late>(work: PromiseLike<T>, ms: number, late: Late): Promise<T | Late> {
  return new Promise<T | Late>((resolve, reject) => {
    const timer = setTimeout(resolve, ms, late);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
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

/** A signal that aborts when its time is over, and whose timer can be removed before that. */
export interface TimeLimit {
  readonly signal: AbortSignal;
  /** Removes the timer. Call it when the work has settled. */
  end(): void;
}

/**
 * Returns a signal that aborts after `ms`, or with `outer` where that aborts first. The timer of an AbortSignal.timeout
 * stays until its time has come, and makes an exception then, long after nearly all work has ended.
 */
export function limitTime(ms: number, outer?: CancelSignal): TimeLimit {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DOMException("The operation took too long", "TimeoutError"));
  }, ms);
  const ignoreOuter = outer === undefined ? undefined : onAbort(outer, () => controller.abort(outer.reason));
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      ignoreOuter?.();
    },
  };
}
