import { createSharedPlaces } from "@rialto/async";
import { limitKeyOf } from "./address.ts";

/** Limits the connections of each client. */
export interface ConnectionLimit {
  /**
   * Counts a connection from an address. Returns the function that ends it; undefined where the client has as many as
   * it may have.
   */
  acquire(address: string): (() => void) | undefined;
}

/**
 * Creates the limit. Connections from an address that may have any number are not counted, not even for its network. Of
 * the others, the clients with the most are refused first when all together come near the total.
 */
export function createConnectionLimit(
  maxOf: (address: string) => number,
  totalMax = Number.POSITIVE_INFINITY,
): ConnectionLimit {
  const open = new Map<string, number>();
  const places = createSharedPlaces(() => totalMax);
  return {
    acquire(address) {
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
