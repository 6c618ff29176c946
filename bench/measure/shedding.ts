import type { Step } from "../load/phased-load.ts";

/** How replicas shed beside each other. */
export interface SheddingTogether {
  /** Of each replica: the mean share of the requests of a step that it shed, and its standard deviation. */
  readonly shares: readonly { readonly mean: number; readonly deviation: number }[];
  /** Of the first two: 1 where both shed at the same moments, 0 where one says nothing of the other. */
  readonly correlation: number;
}

/** Compares how much the replicas shed, step by step. */
export function sheddingTogether(replicas: readonly (readonly Step[])[]): SheddingTogether {
  const shares = replicas.map((steps) =>
    steps.map(({ answered, shed }) => (answered + shed === 0 ? 0 : shed / (answered + shed))),
  );
  const [one = [], other = []] = shares;
  const length = Math.min(one.length, other.length);
  const [first, second] = [one.slice(0, length), other.slice(0, length)];
  const products = first.map((share, at) => (share - meanOf(first)) * ((second[at] ?? 0) - meanOf(second)));
  const spread = deviationOf(first) * deviationOf(second);
  return {
    shares: shares.map((list) => ({ mean: meanOf(list), deviation: deviationOf(list) })),
    correlation: spread === 0 ? 0 : meanOf(products) / spread,
  };
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}
