/** A ratio of two costs with its 95 % confidence interval. */
export interface Ratio {
  readonly estimate: number;
  /** Minus and plus infinity's images, 0 and infinity, where there are too few pairs to say. */
  readonly low: number;
  readonly high: number;
}

/** What a threshold says about a ratio; `undecided` where the threshold lies inside the interval. */
export type Verdict = "met" | "missed" | "undecided";

/**
 * Returns how many times cheaper the first side of each pair was than the second: the geometric mean of
 * `second / first`. Its interval is Student's t over the logarithms of the pairs' ratios: what disturbs both rounds of
 * a pair alike (a slow machine, a busy neighbor) cancels out before anything is averaged. Throws where a cost is not
 * positive, or there is no pair.
 */
export function ratioOf(pairs: readonly (readonly [first: number, second: number])[]): Ratio {
  if (pairs.length === 0) throw new Error("a ratio needs a pair");
  const logs = pairs.map(([first, second]) => {
    if (!(first > 0 && second > 0)) throw new Error(`a ratio of ${second} to ${first} says nothing`);
    return Math.log(second / first);
  });
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const estimate = Math.exp(mean);
  if (logs.length === 1) return { estimate, low: 0, high: Number.POSITIVE_INFINITY };
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const margin = studentT(logs.length - 1) * Math.sqrt(variance / logs.length);
  return { estimate, low: Math.exp(mean - margin), high: Math.exp(mean + margin) };
}

/** Compares a ratio with the least that is wanted. */
export function verdictOf({ low, high }: Ratio, atLeast: number): Verdict {
  if (low >= atLeast) return "met";
  return high < atLeast ? "missed" : "undecided";
}

/** The middle value; the mean of the two in the middle where their count is even. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** Student's t at 97.5 % by degrees of freedom, from 1. Those between two entries take the wider one. */
const quantiles: readonly (readonly [degrees: number, t: number])[] = [
  [1, 12.706],
  [2, 4.303],
  [3, 3.182],
  [4, 2.776],
  [5, 2.571],
  [6, 2.447],
  [7, 2.365],
  [8, 2.306],
  [9, 2.262],
  [10, 2.228],
  [12, 2.179],
  [15, 2.131],
  [20, 2.086],
  [30, 2.042],
  [60, 2.0],
  [120, 1.98],
];

function studentT(degrees: number): number {
  return quantiles.findLast(([known]) => known <= degrees)?.[1] ?? Number.POSITIVE_INFINITY;
}
