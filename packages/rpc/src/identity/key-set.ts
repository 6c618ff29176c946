import { withTimeout } from "@rialto/async";
import { createLocalJWKSet, errors, type JSONWebKeySet, type LocalJWKSet } from "jose";
import { keySetAgeMsMax, keySetRefetchMsMin, keySetWaitMsMax } from "../limits.ts";

/** Finds the key that a token names, with jose's signature. */
export type KeyFinder = (...named: Parameters<LocalJWKSet>) => ReturnType<LocalJWKSet>;

/** A set of public keys that may change. */
export interface KeySet {
  readonly find: KeyFinder;
  /** Fetches the set where it is too old, and returns its version, which changes with its keys. */
  version(): Promise<string>;
  /** The same, without a fetch; undefined where there is no set yet, or it is too old. */
  knownVersion(): string | undefined;
}

interface Known {
  readonly keys: LocalJWKSet;
  readonly version: string;
  readonly time: number;
}

/**
 * Creates a key set that is fetched when it is first needed, again when it is old, and at once when a token names an
 * unknown key (at most every `keySetRefetchMsMin`). So keys are added and removed without a restart, and a removed key
 * is refused after `keySetAgeMsMax`. While a fetch fails, the old set stays in use: a call waits `keySetWaitMsMax` for
 * it at most, and the next one not before `keySetRefetchMsMin`.
 */
export function createKeySet(fetchKeys: () => Promise<JSONWebKeySet>): KeySet {
  let known: Known | undefined;
  let inProgress: Promise<Known> | undefined;
  let fetchStartedAt = Number.NEGATIVE_INFINITY;

  const refresh = (): Promise<Known> => {
    if (inProgress !== undefined) return inProgress;
    fetchStartedAt = Date.now();
    inProgress = fetchKeys()
      .then((set) => {
        known = { keys: createLocalJWKSet(set), version: JSON.stringify(set.keys), time: Date.now() };
        return known;
      })
      .finally(() => {
        inProgress = undefined;
      });
    return inProgress;
  };

  const current = async (ageMsMax: number): Promise<Known> => {
    if (known === undefined) return refresh();
    const stale = known;
    const now = Date.now();
    if (now - stale.time <= ageMsMax) return stale;
    // A fetch was started just now, and is in progress or failed.
    if (now - fetchStartedAt < (inProgress === undefined ? keySetRefetchMsMin : 0)) return stale;
    if (inProgress !== undefined && now - fetchStartedAt >= keySetWaitMsMax) return stale;
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
    knownVersion: () => (known !== undefined && Date.now() - known.time <= keySetAgeMsMax ? known.version : undefined),
  };
}

/** Creates a key set that does not change. */
export function fixedKeySet(set: JSONWebKeySet): KeySet {
  return { find: createLocalJWKSet(set), version: async () => "", knownVersion: () => "" };
}
