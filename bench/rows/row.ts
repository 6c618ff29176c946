import type { Comparison } from "../measure/compare.ts";
import type { Bench } from "../subjects/subject.ts";

/** One row of the table: comparisons that belong together, or figures of another kind. */
export interface Row {
  /** What `npm run bench -- NAME` calls it. */
  readonly name: string;
  /** How many pairs its claim needs, where the command line does not say. */
  readonly pairs?: number;
  readonly comparisons?: (bench: Bench) => readonly Comparison[];
  /** Figures that are no cost of an operation: starts, memory. Each is a line under the table. */
  readonly figures?: (bench: Bench) => Promise<readonly string[]>;
}

/**
 * Adds what the first subject was in the state before, where a checkout of it was named. `atLeast` is how many times
 * cheaper it has to be now.
 */
export function withBefore(
  bench: Bench,
  make: (bench: Bench) => readonly Comparison[],
  atLeast?: number,
): readonly Comparison[] {
  const comparisons = make(bench);
  const [first] = comparisons;
  const [old] = bench.before === undefined ? [] : make({ ...bench, root: bench.before });
  if (first === undefined || old === undefined || bench.before === undefined) return comparisons;
  const before = { ...bench, root: bench.before };
  const baseline = { ...old.subject, name: `${old.subject.name}, before`, start: () => old.subject.start(before) };
  return [...comparisons, { subject: first.subject, baseline, ...(atLeast === undefined ? {} : { atLeast }) }];
}
