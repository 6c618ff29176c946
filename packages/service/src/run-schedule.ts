import { setTimeout as sleep } from "node:timers/promises";
import { isOutage, type Sql, withLease } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import type { Schedule } from "./schedule.ts";

/** A replica that dies while it works holds the others up for this long at most, or for one interval where that is longer. */
const leaseMsMin = 30_000;

/**
 * Runs a schedule until it is stopped. Each replica wakes once an interval, at moments that drift apart; the lease lets one of them
 * work. Work that fails is logged and comes again with the next interval. `stop` aborts the work's signal and waits for it.
 */
export function runSchedule(o: {
  readonly schedule: Schedule;
  readonly sql: Sql;
  readonly holder: string;
  readonly log: Logger;
}): { stop(): Promise<void> } {
  const { schedule, sql, holder } = o;
  const log = o.log.child({ schedule: schedule.name });
  const stopping = new AbortController();
  const ttlMs = Math.max(leaseMsMin, schedule.intervalMs);

  const runOnce = async () => {
    try {
      await withLease(sql, { name: schedule.name, holder, ttlMs }, async () => {
        // Past its lease the work is no longer alone: it must end.
        await schedule.run(AbortSignal.any([stopping.signal, AbortSignal.timeout(ttlMs)]));
      });
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (isOutage(error)) log.warn({ err: error }, "a schedule has to wait: its database is away");
      else log.error({ err: error }, "a schedule failed");
    }
  };
  const loop = async () => {
    // The first run comes within the first interval, so that what a crash left behind is not left for long.
    let delayMs = Math.random() * schedule.intervalMs;
    while (!stopping.signal.aborted) {
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) await runOnce();
      delayMs = schedule.intervalMs * (0.9 + Math.random() * 0.2);
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
