import type { MetricName, Metrics, Reading } from "./metrics.ts";
import type { Labels } from "./series.ts";

/** How long a reading of the database or of the queue is shown, however many ask. */
export const sharedReadingMsMax = 15_000;

/** Every replica reads the same rows: of such a gauge one is enough, and the sum of the replicas means nothing. */
const sameInAll: Labels = { "rialto.replicas": "same" };

/** Adds a gauge of what all replicas of a service share, so labeled that nobody sums it over them. */
export function addSharedGauge(metrics: Metrics, name: MetricName, read: () => Promise<readonly Reading[]>): void {
  metrics.gauge(name, async () =>
    (await read()).map(({ labels, value }) => ({ labels: { ...labels, ...sameInAll }, value })),
  );
}
