import {
  type Counter,
  CounterSeries,
  createFamily,
  type Family,
  type Histogram,
  HistogramSeries,
  type Labels,
  type ReadableFamily,
} from "./series.ts";

/** What a metric is called, and what it tells. */
export interface MetricName {
  /** By OpenTelemetry's rules: "rialto.outbox.lag". Prometheus' text writes the dots as underscores. */
  readonly name: string;
  /** In UCUM's form: "s", "By", "{event}". */
  readonly unit: string;
  readonly description: string;
}

/** One value of a gauge. */
export interface Reading {
  readonly labels: Labels;
  readonly value: number;
}

/** Reads the values of a gauge when they are collected. A failure leaves the gauge out of that collection. */
export type ReadGauge = () => readonly Reading[] | Promise<readonly Reading[]>;

/** The metrics of one service or the gateway in this process. Metrics of one name are one, whoever counts in them. */
export interface Metrics {
  counter(name: MetricName): Family<Counter>;
  /** Without boundaries, those of the duration of a call in seconds. */
  histogram(name: MetricName & { readonly boundaries?: readonly number[] }): Family<Histogram>;
  gauge(name: MetricName, read: ReadGauge): void;
}

/** All metrics of a process. */
export interface MetricRegistry {
  /** Returns the metrics of one service. Each of its series has the label `service`. */
  of(service: string): Metrics;
  readonly counters: ReadonlyMap<string, RegisteredMetric<CounterSeries>>;
  readonly histograms: ReadonlyMap<string, RegisteredMetric<HistogramSeries>>;
  readonly gauges: ReadonlyMap<string, RegisteredGauge>;
}

export interface RegisteredMetric<Series> {
  readonly name: MetricName;
  readonly family: ReadableFamily<Series>;
}

export interface RegisteredGauge {
  readonly name: MetricName;
  readonly reads: ReadGauge[];
}

/** Seconds, from a call in memory to the longest that one may take. */
const durationBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Creates the metrics of a process. They are kept in memory alone, and cost a number for each series. */
export function createMetricRegistry(): MetricRegistry {
  const counters = new Map<string, RegisteredMetric<CounterSeries>>();
  const histograms = new Map<string, RegisteredMetric<HistogramSeries>>();
  const gauges = new Map<string, RegisteredGauge>();

  function register<Series>(
    among: Map<string, RegisteredMetric<Series>>,
    name: MetricName,
    make: () => Series,
  ): RegisteredMetric<Series> {
    const known = among.get(name.name) ?? { name, family: createFamily(make) };
    among.set(name.name, known);
    return known;
  }
  const withService = <Series>(service: string, { family }: RegisteredMetric<Series>): Family<Series> => ({
    with: (labels) => family.with({ service, ...labels }),
  });
  return {
    of: (service) => ({
      counter: (name) =>
        withService(
          service,
          register(counters, name, () => new CounterSeries()),
        ),
      histogram: ({ boundaries = durationBoundaries, ...name }) =>
        withService(
          service,
          register(histograms, name, () => new HistogramSeries(boundaries)),
        ),
      gauge(name, read) {
        const known = gauges.get(name.name) ?? { name, reads: [] };
        gauges.set(name.name, known);
        known.reads.push(async () =>
          (await read()).map(({ labels, value }) => ({ labels: { service, ...labels }, value })),
        );
      },
    }),
    counters,
    histograms,
    gauges,
  };
}

/**
 * Returns what was read up to `ms` ago: what a question to the database costs is paid once in that time, however many
 * collect. Where it failed, the next one who collects asks again.
 */
export function cachedFor<T>(ms: number, read: () => T | Promise<T>): () => Promise<T> {
  let last: { readonly until: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const now = performance.now();
    if (last !== undefined && now < last.until) return last.answer;
    const answer = Promise.resolve().then(read);
    const asked = { until: now + ms, answer };
    last = asked;
    answer.catch(() => {
      if (last === asked) last = undefined;
    });
    return answer;
  };
}
