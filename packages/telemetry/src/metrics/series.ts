/** The labels of a series, by name. Their values come from a small fixed set: a method, a code, never an id. */
export type Labels = Readonly<Record<string, string>>;

/** A count that only grows. */
export interface Counter {
  add(count?: number): void;
}

/** Counts values by how large they are. */
export interface Histogram {
  record(value: number): void;
}

/** The series of one metric. */
export interface Family<Series> {
  /**
   * Returns the series with these labels, always the same one. Keep it, so that counting makes no object: looking it up
   * makes its key.
   */
  with(labels: Labels): Series;
}

/** Series of one metric in one process. What would be one more is counted together, under `otel.metric.overflow`. */
export const seriesMax = 500;

const overflow: Labels = { "otel.metric.overflow": "true" };

/** A family that can be read. */
export interface ReadableFamily<Series> extends Family<Series> {
  entries(): Iterable<readonly [Labels, Series]>;
}

/** Creates the series of a metric, each by `make` when it is first asked for. */
export function createFamily<Series>(make: () => Series): ReadableFamily<Series> {
  const found = new Map<string, readonly [Labels, Series]>();
  const seriesOf = (labels: Labels): Series => {
    const key = JSON.stringify(Object.entries(labels).sort());
    const known = found.get(key);
    if (known !== undefined) return known[1];
    if (found.size >= seriesMax && labels !== overflow) return seriesOf(overflow);
    const made = make();
    found.set(key, [labels, made]);
    return made;
  };
  return { with: seriesOf, entries: () => found.values() };
}

/** Counts in a number of its own. */
export class CounterSeries implements Counter {
  count = 0;

  add(count = 1): void {
    this.count += count;
  }
}

/** Counts in one array of its own. */
export class HistogramSeries implements Histogram {
  readonly boundaries: readonly number[];
  /** One more than there are boundaries: the last one has what is above them. */
  readonly counts: number[];
  count = 0;
  sum = 0;

  constructor(boundaries: readonly number[]) {
    this.boundaries = boundaries;
    this.counts = Array.from({ length: boundaries.length + 1 }, () => 0);
  }

  record(value: number): void {
    this.count += 1;
    this.sum += value;
    let at = 0;
    // A boundary belongs to the bucket below it. There are few, and most values are small.
    while (at < this.boundaries.length && value > (this.boundaries[at] ?? 0)) at += 1;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
  }
}
