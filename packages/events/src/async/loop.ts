import type { Logger } from "@rialto/telemetry";
import { fullJitterMs } from "./backoff.ts";
import { watchOutage } from "./outage.ts";

const outageDelayMsMin = 100;
const outageDelayMsMax = 2_000;

/** Work that is done when there is some, looked for now and then, and goes on after any outage. */
export interface Loop {
  start(): void;
  /** Says that there may be work: the loop does not wait for its timer. Cheap, may be called at any rate. */
  wake(): void;
  /** Resolves when the round that runs has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `round` again and again, one at a time: at once where it answers that there may be more or where somebody woke
 * the loop meanwhile, else after `idleMs` (less up to half of it, so that replicas do not look in step). A round that
 * throws is an outage: it is tried again after a growing wait that a wake does not shorten.
 */
export function createLoop(o: {
  readonly what: string;
  readonly idleMs: number;
  readonly log: Logger;
  round(): Promise<"more" | "done">;
}): Loop {
  const outage = watchOutage(o.log, o.what);
  let woken = false;
  let stopped = false;
  let running: Promise<void> | undefined;
  let endWait: (() => void) | undefined;

  function wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        endWait = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      endWait = end;
    });
  }

  async function run(): Promise<void> {
    while (!stopped) {
      try {
        woken = false;
        const left = await o.round();
        outage.over();
        if (left === "done" && !woken && !stopped) await wait(o.idleMs * (1 - Math.random() / 2));
      } catch (error) {
        if (stopped) return;
        const failures = outage.failed(error);
        woken = true;
        await wait(fullJitterMs(failures, outageDelayMsMin, outageDelayMsMax));
      }
    }
  }

  return {
    start() {
      running ??= run();
    },
    wake() {
      if (woken) return;
      woken = true;
      endWait?.();
    },
    async stop() {
      stopped = true;
      endWait?.();
      await running;
    },
  };
}
