import { sleep } from "@rialto/async";
import type { Logger } from "@rialto/telemetry";
import {
  revocationAskMsMax,
  revocationKeptMs,
  revocationOverlapMs,
  revocationPollMs,
  revocationsMax,
  revocationsStaleMs,
} from "../limits.ts";

/** A session that has ended, and when. */
export interface EndedSession {
  readonly sessionId: string;
  readonly time: Date;
}

/** How the list stands, for health: `ageMs` is the time since it was last had, undefined where it never was. */
export interface RevocationState {
  readonly isFresh: boolean;
  readonly ageMs: number | undefined;
}

/** The sessions that have ended, as far as this process knows. */
export interface Revocations {
  has(sessionId: string): boolean;
  /** Calls back once when a session turns out to have ended. Gives back how to stop listening. */
  onEnd(sessionId: string, ended: () => void): () => void;
  state(): RevocationState;
  /** Asks now. Rejects where the list could not be had. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Keeps the list of ended sessions of a process: asks for what is new every few seconds, in one call for all who check tokens here.
 * Where it cannot be had the old one serves on, `state` says so, and tokens live out their minutes: the door does not close because the
 * list is away.
 */
export function watchRevocations(o: {
  /** All that ended after a time, or all that matters still. */
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
  let hadAt: number | undefined;
  const isFresh = () => hadAt !== undefined && Date.now() - hadAt < revocationsStaleMs;

  function add({ sessionId, time }: EndedSession): void {
    newest = Math.max(newest ?? 0, +time);
    if (ended.has(sessionId)) return;
    ended.set(sessionId, Date.now());
    for (const listener of listeners.get(sessionId) ?? []) listener();
    listeners.delete(sessionId);
  }

  /** Entries stand in the order in which they became known: the first are the oldest. */
  function forget(): void {
    const before = Date.now() - revocationKeptMs;
    for (const [sessionId, knownAt] of ended) {
      if (knownAt >= before && ended.size <= revocationsMax) return;
      ended.delete(sessionId);
    }
  }

  async function refresh(): Promise<void> {
    const asked = Date.now();
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(revocationAskMsMax)]);
    const since = newest === undefined ? undefined : new Date(newest - revocationOverlapMs);
    for (const one of await o.fetch(since, signal)) add(one);
    hadAt = asked;
    forget();
  }

  async function poll(): Promise<void> {
    let wasFresh = true;
    while (!stopping.signal.aborted) {
      await refresh().catch((error: unknown) => {
        // Processes that start together find each other within that time: until then it is no news.
        const isYoung = Date.now() - startedAt < revocationsStaleMs;
        if (stopping.signal.aborted || !wasFresh || isFresh() || isYoung) return;
        wasFresh = false;
        o.log.warn({ err: error }, "the list of ended sessions cannot be had: tokens live out their minutes");
      });
      if (isFresh() && !wasFresh) {
        wasFresh = true;
        o.log.info("the list of ended sessions is had again");
      }
      const waitMs = pollMs * (0.5 + Math.random() / 2);
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
    state: () => ({ isFresh: isFresh(), ageMs: hadAt === undefined ? undefined : Date.now() - hadAt }),
    refresh,
    async stop() {
      stopping.abort();
      await polling;
    },
  };
}
