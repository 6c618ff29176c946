import { setTimeout as sleep } from "node:timers/promises";
import { isLockedOut, isOutage, type Sql, withLease } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import type { Schedule } from "./schedule.ts";

/** A replica that dies holds its schedules up for as long as its lease lives on: a few intervals, within these bounds. */
const leaseIntervals = 3;
const leaseMsMin = 5_000;
const leaseMsMax = 60_000;
/** Each wait is up to this much shorter or longer, so that what began together does not stay together. */
const jitter = 0.1;

/**
 * Runs a schedule until it is stopped. Every replica asks for its lease once an interval; the one that has it does the work, interval
 * after interval, until it stops or loses the lease. Work that fails is logged and comes again with the next interval. `stop`
 * aborts the work's signal, waits for it, and gives the lease back.
 */
export function runSchedule(o: {
  readonly schedule: Schedule;
  readonly sql: Sql;
  readonly holder: string;
  readonly log: Logger;
}): { stop(): Promise<void> } {
  const { schedule, sql, holder } = o;
  const { name, intervalMs } = schedule;
  const log = o.log.child({ schedule: name });
  const stopping = new AbortController();
  const ttlMs = Math.min(Math.max(intervalMs * leaseIntervals, leaseMsMin), leaseMsMax);

  const work = async (signal: AbortSignal) => {
    try {
      await schedule.run(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isOutage(error) && !isLockedOut(error))
        log.warn({ err: error }, "a schedule has to wait: something it needs is down");
      else log.error({ err: error }, "a schedule failed");
    }
  };
  const workWhileLeased = async (lost: AbortSignal) => {
    const signal = AbortSignal.any([stopping.signal, lost]);
    while (!signal.aborted) {
      await work(signal);
      await pause(intervalMs, signal);
    }
  };
  const loop = async () => {
    // The first turn comes within the first interval, so that what a crash left behind is not left for long.
    await pause(intervalMs * Math.random(), stopping.signal);
    while (!stopping.signal.aborted) {
      try {
        await withLease(sql, { name, holder, ttlMs }, workWhileLeased);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log[isLockedOut(error) ? "error" : "warn"]({ err: error }, "the lease of a schedule cannot be asked for");
      }
      await pause(intervalMs, stopping.signal);
    }
  };
  const ended = loop();
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const drift = 1 - jitter + 2 * jitter * Math.random();
  // Aborted is how a wait ends early; whoever waits looks at the signal.
  await sleep(ms * drift, undefined, { signal }).catch(() => undefined);
}
