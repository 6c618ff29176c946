import { codeOf, isOutage } from "./outage.ts";

/** Whether the writes of a service succeed. */
export interface WriteWatch {
  /** Runs a write and records how it ended. */
  watch<T>(write: () => Promise<T>): Promise<T>;
  /**
   * Whether every write of the last 10 s failed because of an outage. False after 10 s without a write, so that one is
   * tried.
   */
  areFailing(): boolean;
}

const failingMsMin = 10_000;
/**
 * Older failures are forgotten. Longer than `failingMsMin`, so that the first failure after a pause is reported at
 * once.
 */
const memoryMsMax = 60_000;

/** Watches writes. `nowMs` is a monotonic clock. */
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
        // Postgres refused this write, so it accepts others. An error of our own code proves nothing.
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
