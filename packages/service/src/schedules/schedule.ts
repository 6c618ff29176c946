import { sleep } from "@rialto/async";
import { isLockedOut, isOutage, type Sql, withLease } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";

/** Periodic work that one replica of the service does at a time. */
export interface Schedule {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * Declares a schedule: `every("10s", "resume-stalled-checkouts", run)`. A number is in milliseconds. A Postgres lease
 * ensures that one replica runs it per interval. The signal aborts when the process stops or the lease is lost.
 */
export function every(interval: string | number, name: string, run: (signal: AbortSignal) => Promise<void>): Schedule {
  return { name, intervalMs: intervalMsOf(interval), run };
}

function intervalMsOf(interval: string | number): number {
  if (typeof interval === "number") return interval;
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(interval) ?? [];
  if (count === undefined || unit === undefined)
    throw new Error(`"${interval}" is no interval: write "500ms", "10s", "5m" or "1h"`);
  // The pattern matches these four units only.
  return Number(count) * unitsMs[unit as keyof typeof unitsMs];
}

/** The lease of a replica that dies delays its schedules by a few intervals, within these bounds. */
const leaseIntervals = 3;
const leaseMsMin = 5_000;
const leaseMsMax = 60_000;
/** Each pause is up to this fraction shorter or longer, so that replicas do not stay in step. */
const jitter = 0.1;

/** A schedule that runs in this process. */
export interface RunningSchedule {
  /** Begins no more work, aborts what runs, and resolves when it has ended. */
  stop(): Promise<void>;
}

/**
 * Runs a schedule until it is stopped. Every replica requests the lease once per interval. The one that holds it does
 * the work, interval after interval, until it stops or loses the lease. Work that fails is logged and repeated at the
 * next interval. `stop` aborts the work's signal, waits for it to end, and releases the lease.
 */
export function runSchedule(o: {
  readonly schedule: Schedule;
  readonly sql: Sql;
  readonly holder: string;
  readonly log: Logger;
}): RunningSchedule {
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
        log.warn({ err: error }, "schedule postponed: a dependency is unavailable");
      else log.error({ err: error }, "schedule failed");
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
    // The first run comes within the first interval, so that unfinished work of a crash is picked up soon.
    await pause(intervalMs * Math.random(), stopping.signal);
    while (!stopping.signal.aborted) {
      try {
        await withLease(sql, { name, holder, ttlMs }, workWhileLeased);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log[isLockedOut(error) ? "error" : "warn"]({ err: error }, "schedule lease unavailable");
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
  await sleep(ms * drift, { signal });
}
