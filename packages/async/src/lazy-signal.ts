/** Tells once that work is canceled, and why. */
export type CancelSignal = AbortSignal | LazySignal;

/**
 * Cancels work, and tells who listens, as an AbortController does; but there is no AbortSignal until `signal` is read.
 * Most calls end before anybody reads it, and an AbortSignal with a listener costs more than all else that a short call
 * waits for.
 */
export class LazySignal {
  #isAborted = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  /** Made for the first listener. */
  #listeners: (() => void)[] | undefined;

  get aborted(): boolean {
    return this.#isAborted;
  }

  /** Why it aborted. Undefined before. */
  get reason(): unknown {
    return this.#reason;
  }

  /** The same as an AbortSignal, always the same one. It is born aborted where that comes late. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts once. What comes later changes nothing. */
  abort(reason: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    // One that is removed meanwhile is not called.
    for (let next = this.#listeners?.shift(); next !== undefined; next = this.#listeners?.shift()) next();
  }

  /**
   * Calls `listener` once when it aborts, or at once where it has. Returns a function that removes the listener. A
   * listener must not throw.
   */
  onAbort(listener: () => void): () => void {
    if (this.#isAborted) {
      listener();
      return nothing;
    }
    this.#listeners ??= [];
    const listeners = this.#listeners;
    listeners.push(listener);
    return () => {
      const at = listeners.lastIndexOf(listener);
      if (at >= 0) listeners.splice(at, 1);
    };
  }
}

/** Calls `listener` as `LazySignal.onAbort` does, for a signal of either kind. */
export function onAbort(signal: CancelSignal, listener: () => void): () => void {
  if (signal instanceof LazySignal) return signal.onAbort(listener);
  if (signal.aborted) {
    listener();
    return nothing;
  }
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** Returns the signal as an AbortSignal, for what takes no other. */
export function abortSignalOf(signal: CancelSignal): AbortSignal {
  return signal instanceof LazySignal ? signal.signal : signal;
}

function nothing(): void {}
