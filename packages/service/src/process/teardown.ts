import { withTimeout } from "@rialto/async";
import type { Logger } from "@rialto/telemetry";

/** The time limit of one step. After it the next one begins. */
const stepMsMax = 2_700;

/** Stops what was started, in the opposite order. */
export interface Teardown {
  /** Adds a step. */
  add(what: string, stop: () => Promise<void> | void): void;
  /** Runs all steps, the last added first. Consecutive steps of one name run together. Can be called twice. */
  run(): Promise<void>;
}

/**
 * Creates a teardown. A step that fails or hangs is logged and skipped: one broken pool must not keep the others, or
 * the process, from ending in time.
 */
export function createTeardown(log: Logger): Teardown {
  const steps: { readonly what: string; readonly stops: (() => Promise<void> | void)[] }[] = [];
  let running: Promise<void> | undefined;
  const runAll = async () => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { what, stops } = step;
      const ended = Promise.allSettled(stops.map(async (stop) => await stop()));
      const results = await withTimeout(ended, stepMsMax, "late");
      if (results === "late") log.warn({ step: what, stepMsMax }, "teardown step timed out, skipped");
      else
        for (const result of results)
          if (result.status === "rejected") log.warn({ step: what, err: result.reason }, "teardown step failed");
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
