import { createSharedPlaces } from "./fair-share.ts";
import { limitKeyOf } from "./limit-key.ts";

/** Counts the connections of each client. */
export interface ConnectionCount {
  /** Takes a place for a connection from an address. Answers how to give it back; undefined where the client has as many as it may have. */
  take(address: string): (() => void) | undefined;
}

/**
 * Makes the count. Where an address may have any number, its connections take nobody's place, not even in its own network. Of the others, those with
 * the most are refused first where all together come near the total.
 */
export function countConnections(
  maxOf: (address: string) => number,
  totalMax = Number.POSITIVE_INFINITY,
): ConnectionCount {
  const open = new Map<string, number>();
  const places = createSharedPlaces(() => totalMax);
  return {
    take(address) {
      const max = maxOf(address);
      if (max === Number.POSITIVE_INFINITY) return () => undefined;
      const key = limitKeyOf(address);
      const others = open.get(key) ?? 0;
      if (others >= max) return undefined;
      const release = places.acquire({ address: key, account: undefined });
      if (release === undefined) return undefined;
      open.set(key, others + 1);
      return () => {
        release();
        const left = (open.get(key) ?? 1) - 1;
        if (left === 0) open.delete(key);
        else open.set(key, left);
      };
    },
  };
}
