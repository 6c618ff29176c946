import { codeOf, isOutage } from "./outage.ts";

/** Whether the writes of a service succeed. */
export interface WriteWatch {
  /** Does one and remembers how it ended. */
  watch<T>(write: () => Promise<T>): Promise<T>;
  /** Every write of the last 10 s failed as an outage. Not so once none was tried for as long: somebody must find out. */
  areFailing(): boolean;
}

const failingMsMin = 10_000;

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
        if (isOutage(error)) failing = { since: failing?.since ?? nowMs(), last: nowMs() };
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
