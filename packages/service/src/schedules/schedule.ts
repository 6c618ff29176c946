/** Work that is done again and again, by one replica of the service at a time. */
export interface Schedule {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * Declares a schedule: `every("10s", "resume-stalled-checkouts", run)`. A number is in milliseconds. A Postgres lease sees to it
 * that one replica runs it per interval; the signal aborts when the process stops or the lease is lost.
 */
export function every(interval: string | number, name: string, run: (signal: AbortSignal) => Promise<void>): Schedule {
  return { name, intervalMs: intervalMsOf(interval), run };
}

function intervalMsOf(interval: string | number): number {
  if (typeof interval === "number") return interval;
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(interval) ?? [];
  if (count === undefined || unit === undefined)
    throw new Error(`"${interval}" is no interval: write "500ms", "10s", "5m" or "1h"`);
  // The pattern lets through these four units only.
  return Number(count) * unitsMs[unit as keyof typeof unitsMs];
}
