import { createSharedPlaces } from "@rialto/http";

/** Room for so many at once. */
export interface Room {
  /**
   * Resolves with how to leave, as soon as there is room: in turn, where others wait as well. Rejects with `NoRoom` where too many wait already, and
   * with the signal's reason where that comes first. Callers that name their party, an address for example, wait in turns of parties, and the party of
   * which the most wait is turned away first.
   */
  enter(signal: AbortSignal, party?: string): Promise<() => void>;
}

/** Whoever came was turned away: nothing was done for them. */
export class NoRoom extends Error {
  override readonly name = "NoRoom";
}

/** Makes room for `max` at once, and for `waitingMax` who wait until one of them leaves. */
export function createRoom({ max, waitingMax }: { readonly max: number; readonly waitingMax: number }): Room {
  const places = createSharedPlaces(() => waitingMax);
  /** Those who wait, by party. The party whose turn is next stands first; those who named none are one. */
  const waiting = new Map<string | undefined, Set<() => void>>();
  let inside = 0;

  const come = (): (() => void) => {
    inside += 1;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      inside -= 1;
      callNext();
    };
  };
  const callNext = (): void => {
    const [line] = waiting;
    if (line === undefined) return;
    const [party, those] = line;
    const [next] = those;
    // The party goes behind the others before its first one is called, who takes it out where nobody else of it waits.
    waiting.delete(party);
    waiting.set(party, those);
    next?.();
  };
  const wait = (signal: AbortSignal, party: string | undefined, leavePlace: () => void): Promise<() => void> =>
    new Promise((resolve, reject) => {
      const those = waiting.get(party) ?? new Set();
      waiting.set(party, those);
      const next = () => {
        stop();
        resolve(come());
      };
      const left = () => {
        stop();
        reject(signal.reason);
      };
      const stop = () => {
        those.delete(next);
        if (those.size === 0) waiting.delete(party);
        leavePlace();
        signal.removeEventListener("abort", left);
      };
      those.add(next);
      signal.addEventListener("abort", left, { once: true });
    });

  return {
    async enter(signal, party) {
      signal.throwIfAborted();
      if (inside < max) return come();
      const leavePlace = places.acquire({ address: party, account: undefined });
      if (leavePlace === undefined) throw new NoRoom(`${max} are at work and too many of ${waitingMax} wait`);
      return wait(signal, party, leavePlace);
    },
  };
}
