/** The sides of a pair. */
export type Side = "ours" | "baseline";

/** One round: load on one side for a while. */
export interface Round {
  /** Answers that count: refusals and errors do not. */
  readonly operations: number;
  /** Refusals (503 among them), errors and timeouts. */
  readonly failures: number;
  readonly seconds: number;
  /** User and system time of the whole tree, the load generator left out. */
  readonly cpuSeconds: number;
  /** Share of the machine's time that was stolen meanwhile, from 0 to 1. */
  readonly steal: number;
  /** The most that a server under test was late, by its event loop, and its longest GC pause. */
  readonly loopDelayMs?: number | undefined;
  readonly gcPauseMs?: number | undefined;
  /** Latency under this load. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

/** Two rounds in turn. */
export interface Pair {
  readonly ours: Round;
  readonly baseline: Round;
  /** Was kept although too much was stolen, each time that it was measured. */
  readonly isMarked: boolean;
}

/** The pairs that count, and those that do not. */
export interface Pairs {
  readonly kept: readonly Pair[];
  readonly thrownAway: readonly Pair[];
}

/** A round in which more than this share was stolen throws its pair away. */
const stealMax = 0.05;
/** How often a pair is measured again before it is kept and marked. */
export const repeatsMax = 3;

/**
 * Measures pairs of rounds in turn, beginning with the other side each time. A pair is kept or thrown away whole: where
 * one of its rounds lost more than `stealMax`, both are measured again, `repeatsMax` times at most; then the pair is
 * kept and marked.
 */
export async function measurePairs(o: {
  readonly pairs: number;
  readonly round: (side: Side) => Promise<Round>;
  readonly onThrownAway?: (pair: Pair) => void;
}): Promise<Pairs> {
  const kept: Pair[] = [];
  const thrownAway: Pair[] = [];
  for (let index = 0; index < o.pairs; index += 1) {
    for (let repeats = 0; ; repeats += 1) {
      const pair = await measurePair(index % 2 === 0 ? ["ours", "baseline"] : ["baseline", "ours"], o.round);
      const isDisturbed = Math.max(pair.ours.steal, pair.baseline.steal) > stealMax;
      if (!isDisturbed || repeats === repeatsMax) {
        kept.push({ ...pair, isMarked: isDisturbed });
        break;
      }
      thrownAway.push(pair);
      o.onThrownAway?.(pair);
    }
  }
  return { kept, thrownAway };
}

/** CPU per operation in microseconds. Throws where nothing was answered: that is no price. */
export function cpuPerOperation({ cpuSeconds, operations, failures }: Round): number {
  if (operations === 0) throw new Error(`nothing was answered; ${failures} failures`);
  return (cpuSeconds * 1e6) / operations;
}

/** Microseconds that passed per operation: the inverse of the rate. Throws where nothing was answered. */
export function timePerOperation({ seconds, operations, failures }: Round): number {
  if (operations === 0) throw new Error(`nothing was answered; ${failures} failures`);
  return (seconds * 1e6) / operations;
}

async function measurePair(order: readonly Side[], round: (side: Side) => Promise<Round>): Promise<Pair> {
  const rounds = new Map<Side, Round>();
  for (const side of order) rounds.set(side, await round(side));
  const [ours, baseline] = [rounds.get("ours"), rounds.get("baseline")];
  if (ours === undefined || baseline === undefined) throw new Error("a pair has two sides");
  return { ours, baseline, isMarked: false };
}
