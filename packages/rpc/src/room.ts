/** Room for so many at once. */
export interface Room {
  /**
   * Resolves with how to leave, as soon as there is room: in turn, where others wait as well. Rejects with `NoRoom` where too many wait already, and
   * with the signal's reason where that comes first.
   */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** Whoever came was turned away: nothing was done for them. */
export class NoRoom extends Error {
  override readonly name = "NoRoom";
}

/** Makes room for `max` at once, and for `waitingMax` who wait until one of them leaves. */
export function createRoom({ max, waitingMax }: { readonly max: number; readonly waitingMax: number }): Room {
  const waiting = new Set<() => void>();
  let inside = 0;

  const come = (): (() => void) => {
    inside += 1;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      inside -= 1;
      const [next] = waiting;
      next?.();
    };
  };
  const wait = (signal: AbortSignal): Promise<() => void> =>
    new Promise((resolve, reject) => {
      const next = () => {
        stop();
        resolve(come());
      };
      const left = () => {
        stop();
        reject(signal.reason);
      };
      const stop = () => {
        waiting.delete(next);
        signal.removeEventListener("abort", left);
      };
      waiting.add(next);
      signal.addEventListener("abort", left, { once: true });
    });

  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (inside < max) return come();
      if (waiting.size >= waitingMax) throw new NoRoom(`${max} are at work and ${waitingMax} wait`);
      return wait(signal);
    },
  };
}
