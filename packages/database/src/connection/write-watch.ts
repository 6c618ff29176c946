import { codeOf, isOutage } from "./outage.ts";

/** Whether the writes of a service succeed. */
export interface WriteWatch {
  /** Does one and remembers how it ended. */
  watch<T>(write: () => Promise<T>): Promise<T>;
  /**
   * Every write of the last 10 s failed as an outage. Not so once none was tried for as long: somebody must find out.
   */
  areFailing(): boolean;
}

const failingMsMin = 10_000;
/**
 * What failed longer ago says nothing about the time since: failures begin anew. Longer than above, so that the first
 * try after a pause tells at once.
 */
const memoryMsMax = 60_000;

/** Watches writes. `nowMs` is a clock that only goes forward. */
export function watchWrites(nowMs: () => number = () => performance.now()): WriteWatch {
  let failing: { readonly since: number; readonly last: number } | undefined;
  return {
    async watch(write) {
      try {
        const written = await write();
        failing = undefined;
        return written;
      } catch (error) {
        const now = nowMs();
        const isRemembered = failing !== undefined && now - failing.last < memoryMsMax;
        if (isOutage(error)) failing = { since: isRemembered ? (failing?.since ?? now) : now, last: now };
        // Postgres refused this one work, so it takes others. What our own code threw says nothing.
        else if (/^[0-9A-Z]{5}$/.test(codeOf(error))) failing = undefined;
        throw error;
      }
    },
    areFailing() {
      if (failing === undefined) return false;
      return nowMs() - failing.since >= failingMsMin && nowMs() - failing.last < failingMsMin;
    },
  };
}
