import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the event loop delay is read, and its resolution. */
const intervalMs = 500;
const resolutionMs = 20;
/** Mean event loop delay above which load is shed. */
const delayMsMax = 400;
/**
 * Requests of one client per interval that are not refused while the delay is moderate. One page of a shop sends as
 * many at once.
 */
const lightRequestsMax = 5;

/** Event loop delay, and requests in the current or the last interval, whichever had more. */
export interface Pressure {
  readonly delayMs: number;
  /** Requests of this client. */
  readonly byClient: number;
  readonly byAll: number;
  /** Clients that sent requests, at least one. */
  readonly clients: number;
}

/**
 * Returns true if a request is to be refused. At a moderate delay, those of clients that send more than the mean; at a
 * delay of more than four times the limit, all. A single client is never above the mean: there is no other to make room
 * for.
 */
export function isShed({ delayMs, byClient, byAll, clients }: Pressure): boolean {
  if (delayMs <= delayMsMax) return false;
  if (delayMs > 4 * delayMsMax) return true;
  return byClient > lightRequestsMax && byClient > byAll / clients;
}

/** Counts requests per client, and decides which clients are refused while the event loop is late. */
export interface PressureGauge {
  count(client: string): void;
  /** Returns true if requests of this client are refused now. */
  sheds(client: string): boolean;
  close(): void;
}

/** Starts a gauge, which measures the delay itself unless `measured` is given. To be closed. */
export function createPressureGauge(measured?: () => number): PressureGauge {
  const meter = measured === undefined ? startMeter() : { delayMs: measured, stop: () => undefined };
  let counts = new Map<string, number>();
  let earlier = counts;
  let byAll = 0;
  let byAllEarlier = 0;
  const rotation = setInterval(() => {
    earlier = counts;
    byAllEarlier = byAll;
    counts = new Map();
    byAll = 0;
  }, intervalMs);
  rotation.unref();
  return {
    count(client) {
      counts.set(client, (counts.get(client) ?? 0) + 1);
      byAll += 1;
    },
    sheds(client) {
      const delayMs = meter.delayMs();
      // Nearly always: nothing has to be looked up.
      if (delayMs <= delayMsMax) return false;
      return isShed({
        delayMs,
        byClient: Math.max(counts.get(client) ?? 0, earlier.get(client) ?? 0),
        byAll: Math.max(byAll, byAllEarlier),
        clients: Math.max(1, counts.size, earlier.size),
      });
    },
    close() {
      clearInterval(rotation);
      meter.stop();
    },
  };
}

function startMeter(): { delayMs(): number; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let delayMs = 0;
  const timer = setInterval(() => {
    // No sample in the interval: the loop was blocked for all of it.
    delayMs = histogram.count === 0 ? intervalMs : Math.max(0, histogram.mean / 1e6 - resolutionMs);
    histogram.reset();
  }, intervalMs);
  timer.unref();
  return {
    delayMs: () => delayMs,
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
