import { backoffMs, sleep } from "@rialto/async";
import type { Logger } from "@rialto/telemetry";
import {
  revocationAskMsMax,
  revocationKeptMs,
  revocationOverlapMs,
  revocationPollMs,
  revocationsMax,
  revocationsStaleMs,
} from "../limits.ts";

/** The pauses of a process that has never had the list: until it has, sessions that ended are good in it. */
const firstRetry = { delayMsMin: 100, delayMsMax: 500, jitter: "none" } as const;

/** An ended session, and when it ended. */
export interface EndedSession {
  readonly sessionId: string;
  readonly time: Date;
}

/** The state of the list, for health: `ageMs` is the time since the last fetch, undefined before the first. */
export interface RevocationState {
  readonly isFresh: boolean;
  readonly ageMs: number | undefined;
}

/** The revocation list: the ended sessions that this process knows. */
export interface Revocations {
  has(sessionId: string): boolean;
  /** Calls `listener` once when a session is known to have ended. Returns an unsubscribe function. */
  onEnd(sessionId: string, listener: () => void): () => void;
  state(): RevocationState;
  /** Fetches the list now. Rejects where that fails. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Keeps the revocation list of a process: fetches new entries every few seconds, in one call for all token verifiers,
 * and sooner as long as it has none.
 * Where that fails the old list stays in use, `state` reports it, and tokens stay valid until they expire: calls must
 * not fail because the list is unavailable.
 */
export function watchRevocations(o: {
  /** Returns the sessions that ended after a time, or all whose tokens may still be valid. */
  readonly fetch: (since: Date | undefined, signal: AbortSignal) => Promise<readonly EndedSession[]>;
  readonly log: Logger;
  readonly pollMs?: number;
}): Revocations {
  const { pollMs = revocationPollMs } = o;
  const ended = new Map<string, number>();
  const listeners = new Map<string, Set<() => void>>();
  const stopping = new AbortController();
  const startedAt = Date.now();
  let newest: number | undefined;
  let fetchedAt: number | undefined;
  const isFresh = () => fetchedAt !== undefined && Date.now() - fetchedAt < revocationsStaleMs;

  function add({ sessionId, time }: EndedSession): void {
    newest = Math.max(newest ?? 0, +time);
    if (ended.has(sessionId)) return;
    ended.set(sessionId, Date.now());
    for (const listener of listeners.get(sessionId) ?? []) listener();
    listeners.delete(sessionId);
  }

  /** Drops old entries. They are in the order in which they became known. */
  function dropOld(): void {
    const before = Date.now() - revocationKeptMs;
    for (const [sessionId, knownAt] of ended) {
      if (knownAt >= before && ended.size <= revocationsMax) return;
      ended.delete(sessionId);
    }
  }

  async function refresh(): Promise<void> {
    const startedFetch = Date.now();
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(revocationAskMsMax)]);
    const since = newest === undefined ? undefined : new Date(newest - revocationOverlapMs);
    for (const session of await o.fetch(since, signal)) add(session);
    fetchedAt = startedFetch;
    dropOld();
  }

  async function poll(): Promise<void> {
    let wasFresh = true;
    for (let tries = 1; !stopping.signal.aborted; tries += 1) {
      await refresh().catch((error: unknown) => {
        // Processes that start together reach each other within that time: an earlier failure is not worth a line.
        const isStarting = Date.now() - startedAt < revocationsStaleMs;
        if (stopping.signal.aborted || !wasFresh || isFresh() || isStarting) return;
        wasFresh = false;
        o.log.warn({ err: error }, "revocation list unavailable: access tokens stay valid until they expire");
      });
      if (isFresh() && !wasFresh) {
        wasFresh = true;
        o.log.info("revocation list available again");
      }
      const isFirst = fetchedAt === undefined;
      const pauseMs = isFirst ? backoffMs(tries, firstRetry) : pollMs;
      const waitMs = pauseMs * (0.5 + Math.random() / 2);
      await sleep(waitMs, { signal: stopping.signal, ref: false });
    }
  }
  const polling = poll();

  return {
    has: (sessionId) => ended.has(sessionId),
    onEnd(sessionId, listener) {
      const all = listeners.get(sessionId) ?? new Set();
      listeners.set(sessionId, all);
      all.add(listener);
      return () => {
        all.delete(listener);
        if (all.size === 0 && listeners.get(sessionId) === all) listeners.delete(sessionId);
      };
    },
    state: () => ({ isFresh: isFresh(), ageMs: fetchedAt === undefined ? undefined : Date.now() - fetchedAt }),
    refresh,
    async stop() {
      stopping.abort();
      await polling;
    },
  };
}
