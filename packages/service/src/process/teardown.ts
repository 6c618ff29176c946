import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@rialto/telemetry";

/** How long one step of stopping may take before the next begins without it. */
const stepMsMax = 2_700;

/** What was started, to be stopped in the opposite order. */
export interface Teardown {
  /** Remembers how to stop what was just started. */
  add(what: string, stop: () => Promise<void> | void): void;
  /** Stops everything, the last started first. Steps added under one name are stopped together. Can be called twice. */
  run(): Promise<void>;
}

/**
 * Keeps what was started. A step that fails or hangs is logged and left behind: one broken pool must not keep the others, or the
 * process, from ending in time.
 */
export function createTeardown(log: Logger): Teardown {
  const steps: { readonly what: string; readonly stops: (() => Promise<void> | void)[] }[] = [];
  let running: Promise<void> | undefined;
  const runAll = async () => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { what, stops } = step;
      const ended = Promise.allSettled(stops.map(async (stop) => await stop()));
      const timer = new AbortController();
      const late = sleep(stepMsMax, "late" as const, { signal: timer.signal, ref: false }).catch(() => "late" as const);
      const results = await Promise.race([ended, late]);
      timer.abort();
      if (results === "late")
        log.warn({ step: what, stepMsMax }, "a step of stopping takes too long and is left behind");
      else
        for (const result of results)
          if (result.status === "rejected") log.warn({ step: what, err: result.reason }, "a step of stopping failed");
    }
  };
  return {
    add(what, stop) {
      const last = steps.at(-1);
      if (last?.what === what) last.stops.push(stop);
      else steps.push({ what, stops: [stop] });
    },
    run: () => (running ??= runAll()),
  };
}
