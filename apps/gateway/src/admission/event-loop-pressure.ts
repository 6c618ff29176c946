import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the delay of the event loop is looked at, and how finely it is measured. */
const lookMs = 500;
const resolutionMs = 20;
/** The event loop is this late on average: what comes now would wait longer than it is worth. */
const delayMsMax = 400;
/**
 * Requests of one asker between two looks that are no reason to refuse any of them. A page of a shop makes as many at
 * once.
 */
const lightRequestsMax = 5;

/** How late the event loop is, and how many requests came lately. */
export interface Pressure {
  readonly delayMs: number;
  /** From the asker. */
  readonly byAsker: number;
  readonly byAll: number;
  /** Askers that they came from, at least one. */
  readonly askers: number;
}

/**
 * Whether a request is refused for the lateness of the event loop: where it is late, of those who ask more than the
 * mean, and where it is so late that nobody would get an answer in time, of everybody. Who is alone is never above the
 * mean: there is nobody to make room for.
 */
export function isShed({ delayMs, byAsker, byAll, askers }: Pressure): boolean {
  if (delayMs <= delayMsMax) return false;
  if (delayMs > 4 * delayMsMax) return true;
  return byAsker > lightRequestsMax && byAsker > byAll / askers;
}

/** Counts requests by their asker, and tells who is refused while the event loop is late. */
export interface PressureGauge {
  count(asker: string): void;
  /** Whether this asker is refused now. */
  sheds(asker: string): boolean;
  close(): void;
}

/** Starts the gauge. The delay is measured where none is given. */
export function createPressureGauge(measured?: () => number): PressureGauge {
  const meter = measured === undefined ? startMeter() : { delayMs: measured, stop: () => undefined };
  let counts = new Map<string, number>();
  let earlier = counts;
  let byAll = 0;
  let byAllEarlier = 0;
  const turn = setInterval(() => {
    earlier = counts;
    byAllEarlier = byAll;
    counts = new Map();
    byAll = 0;
  }, lookMs);
  turn.unref();
  return {
    count(asker) {
      counts.set(asker, (counts.get(asker) ?? 0) + 1);
      byAll += 1;
    },
    sheds: (asker) =>
      isShed({
        delayMs: meter.delayMs(),
        byAsker: Math.max(counts.get(asker) ?? 0, earlier.get(asker) ?? 0),
        byAll: Math.max(byAll, byAllEarlier),
        askers: Math.max(1, counts.size, earlier.size),
      }),
    close() {
      clearInterval(turn);
      meter.stop();
    },
  };
}

function startMeter(): { delayMs(): number; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let delayMs = 0;
  const timer = setInterval(() => {
    // Without a sample in all that time the loop stood still for as long.
    delayMs = histogram.count === 0 ? lookMs : Math.max(0, histogram.mean / 1e6 - resolutionMs);
    histogram.reset();
  }, lookMs);
  timer.unref();
  return {
    delayMs: () => delayMs,
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
