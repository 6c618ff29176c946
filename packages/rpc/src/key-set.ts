import { createLocalJWKSet, errors, type JSONWebKeySet, type LocalJWKSet } from "jose";
import { keySetAgeMsMax, keySetRefetchMsMin } from "./limits.ts";

/** Finds the key that a token names, as jose asks for it. */
export type KeyFinder = (...named: Parameters<LocalJWKSet>) => ReturnType<LocalJWKSet>;

/**
 * A key set that is fetched when it is first needed, again when it is old, and at once (but not all the time) when a
 * token names a key that is not in it: so keys rotate without a restart. While it cannot be fetched the old one serves.
 */
export function createKeySet(fetchKeys: () => Promise<JSONWebKeySet>): KeyFinder {
  let known: { readonly keys: LocalJWKSet; readonly time: number } | undefined;
  let underway: Promise<LocalJWKSet> | undefined;

  const refresh = (): Promise<LocalJWKSet> => {
    underway ??= fetchKeys()
      .then((set) => {
        const keys = createLocalJWKSet(set);
        known = { keys, time: Date.now() };
        return keys;
      })
      .finally(() => {
        underway = undefined;
      });
    return underway;
  };

  const current = async (ageMsMax: number): Promise<LocalJWKSet> => {
    if (known === undefined) return refresh();
    if (Date.now() - known.time <= ageMsMax) return known.keys;
    const stale = known.keys;
    return refresh().catch(() => stale);
  };

  return async (...named) => {
    try {
      return await (await current(keySetAgeMsMax))(...named);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return (await current(keySetRefetchMsMin))(...named);
    }
  };
}
