import { withTimeout } from "@rialto/async";
import { createLocalJWKSet, errors, type JSONWebKeySet, type LocalJWKSet } from "jose";
import { keySetAgeMsMax, keySetRefetchMsMin, keySetWaitMsMax } from "../limits.ts";

/** Finds the key that a token names, as jose asks for it. */
export type KeyFinder = (...named: Parameters<LocalJWKSet>) => ReturnType<LocalJWKSet>;

/** A set of public keys that may change. */
export interface KeySet {
  readonly find: KeyFinder;
  /** Makes sure that the set is as young as it has to be, and names it: another name means that its keys have changed. */
  version(): Promise<string>;
}

interface Known {
  readonly keys: LocalJWKSet;
  readonly version: string;
  readonly time: number;
}

/**
 * A key set that is fetched when it is first needed, again when it is old, and at once (but not all the time) when a token names a key that is
 * not in it. So keys come and go without a restart, and one that was taken out is refused after `keySetAgeMsMax`. While the set cannot
 * be fetched the old one serves: a call waits for it for `keySetWaitMsMax` at most, and not again for `keySetRefetchMsMin`.
 */
export function createKeySet(fetchKeys: () => Promise<JSONWebKeySet>): KeySet {
  let known: Known | undefined;
  let underway: Promise<Known> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;

  const refresh = (): Promise<Known> => {
    if (underway !== undefined) return underway;
    askedAt = Date.now();
    underway = fetchKeys()
      .then((set) => {
        known = { keys: createLocalJWKSet(set), version: JSON.stringify(set.keys), time: Date.now() };
        return known;
      })
      .finally(() => {
        underway = undefined;
      });
    return underway;
  };

  const current = async (ageMsMax: number): Promise<Known> => {
    if (known === undefined) return refresh();
    const stale = known;
    const now = Date.now();
    if (now - stale.time <= ageMsMax) return stale;
    // It was asked for just now, and is not here yet or could not be had.
    if (now - askedAt < (underway === undefined ? keySetRefetchMsMin : 0)) return stale;
    if (underway !== undefined && now - askedAt >= keySetWaitMsMax) return stale;
    return withTimeout(
      refresh().catch(() => stale),
      keySetWaitMsMax,
      stale,
    );
  };

  return {
    async find(...named) {
      try {
        return await (await current(keySetAgeMsMax)).keys(...named);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        return (await current(keySetRefetchMsMin)).keys(...named);
      }
    },
    version: async () => (await current(keySetAgeMsMax)).version,
  };
}

/** A key set that stays as it is. */
export function fixedKeySet(set: JSONWebKeySet): KeySet {
  return { find: createLocalJWKSet(set), version: async () => "" };
}
