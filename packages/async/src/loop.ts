import { backoffMs } from "./backoff.ts";
import { sleep } from "./sleep.ts";

const outageBackoff = { delayMsMin: 100, delayMsMax: 2_000 } as const;

/** Work that is done when there is some, polled for, and resumed after any outage. */
export interface Loop {
  start(): void;
  /** Signals that there may be work: the loop does not wait for its timer. Cheap, may be called at any rate. */
  wake(): void;
  /** Resolves when the current round has ended. */
  stop(): Promise<void>;
}

/** Records the failures of something in a row. */
export interface OutageWatch {
  /** Returns how many there were in a row, this one included. */
  failed(error: unknown): number;
  recovered(): void;
}

/**
 * Runs `round` again and again, one at a time: at once where it returns that there may be more or where the loop was
 * woken meanwhile, else after `idleMs` (less up to half of it, so that replicas do not poll in step). A round that
 * throws is an outage: it is retried after a growing delay that a wake does not shorten.
 */
export function createLoop(o: {
  readonly idleMs: number;
  readonly outage: OutageWatch;
  round(): Promise<"more" | "done">;
}): Loop {
  let isWoken = false;
  let isStopped = false;
  let running: Promise<void> | undefined;
  let waiting = new AbortController();

  async function wait(ms: number): Promise<void> {
    waiting = new AbortController();
    await sleep(ms, { signal: waiting.signal });
  }

  async function run(): Promise<void> {
    while (!isStopped) {
      try {
        isWoken = false;
        const left = await o.round();
        o.outage.recovered();
        if (left === "done" && !isWoken && !isStopped) await wait(o.idleMs * (1 - Math.random() / 2));
      } catch (error) {
        if (isStopped) return;
        const failures = o.outage.failed(error);
        isWoken = true;
        await wait(backoffMs(failures, outageBackoff));
      }
    }
  }

  return {
    start() {
      running ??= run();
    },
    wake() {
      if (isWoken) return;
      isWoken = true;
      waiting.abort();
    },
    async stop() {
      isStopped = true;
      waiting.abort();
      await running;
    },
  };
}
