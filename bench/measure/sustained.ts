import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "../load/plan.ts";
import { settled } from "../load/shop-load.ts";
import type { Shop } from "../subjects/shop.ts";
import type { Running } from "../subjects/subject.ts";
import { type Probe, procProbe, ticksPerSecond } from "./proc.ts";

/** What came in and what was confirmed in a part of a run. */
export interface Window {
  readonly seconds: number;
  readonly accepted: number;
  readonly confirmed: number;
}

/** A run of orders as fast as they are answered, after its ramp. */
export interface Sustained {
  readonly windows: readonly Window[];
  readonly confirmedPerSecond: number;
  readonly cpuMicroseconds: number;
  /** The most memory that the shop's processes had at the end of a window, without its Postgres. */
  readonly residentBytesMax: number;
  /** Answers of another status than 2xx, errors and timeouts; in the ramp too. */
  readonly failures: number;
}

/** How long a run is. */
export interface SustainedPace {
  readonly rampSeconds: number;
  readonly windowSeconds: number;
  readonly windows: number;
}

/**
 * Places orders for as long as the ramp and the windows take. Counts by rows, at the end of each window, what was
 * accepted and what was confirmed in it. Waits until nothing is pending before it begins. What is pending at its end is
 * left: a queue that falls behind would take minutes.
 */
export async function sustain(
  { load, counted }: Pick<Running, "counted"> & { readonly load: Load },
  shop: Shop,
  pace: SustainedPace,
  probe: Probe = procProbe,
): Promise<Sustained> {
  await settled(shop);
  const seconds = pace.rampSeconds + pace.windowSeconds * pace.windows;
  const from = performance.now();
  const running = load.closed(seconds);
  // Whoever waits below hears of it then.
  running.catch(() => undefined);
  let residentBytesMax = 0;
  const at = async (second: number) => {
    await sleep(Math.max(0, from + second * 1_000 - performance.now()));
    const { confirmed, pending } = await shop.orders();
    residentBytesMax = Math.max(residentBytesMax, probe.residentBytesOf(shop.pids));
    return { at: performance.now(), accepted: confirmed + pending, confirmed, ticks: probe.ticksOf(counted) };
  };
  const start = await at(pace.rampSeconds);
  let last = start;
  const windows: Window[] = [];
  for (let index = 1; index <= pace.windows; index += 1) {
    const now = await at(pace.rampSeconds + index * pace.windowSeconds);
    windows.push({
      seconds: (now.at - last.at) / 1_000,
      accepted: now.accepted - last.accepted,
      confirmed: now.confirmed - last.confirmed,
    });
    last = now;
  }
  const { failures } = await running;
  const confirmed = last.confirmed - start.confirmed;
  return {
    windows,
    confirmedPerSecond: confirmed / ((last.at - start.at) / 1_000),
    cpuMicroseconds: ((last.ticks - start.ticks) * 1e6) / ticksPerSecond / confirmed,
    residentBytesMax,
    failures,
  };
}

/** A line for a run: its rate, its cost, its memory, and the share that was confirmed in each window. */
export function sustainedText(name: string, runs: readonly Sustained[]): string {
  const list = (value: (run: Sustained) => number) => runs.map((run) => value(run).toFixed(0)).join(", ");
  const shares = runs.flatMap(({ windows }) => windows.map(({ accepted, confirmed }) => confirmed / accepted));
  const share = `${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)}`;
  const failures = runs.reduce((sum, run) => sum + run.failures, 0);
  const failed = failures === 0 ? "" : `, ${failures} failed`;
  const megabytes = list((run) => run.residentBytesMax / 1e6);
  return `${name}: ${list((run) => run.confirmedPerSecond)} confirmed/s, ${list((run) => run.cpuMicroseconds)} µs each, ${megabytes} MB resident, confirmed/accepted in a window ${share}${failed}`;
}
