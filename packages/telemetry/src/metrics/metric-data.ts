import { type HrTime, ValueType } from "@opentelemetry/api";
import { AggregationTemporality, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import type { MetricName, MetricRegistry, ReadGauge, Reading } from "./metrics.ts";
import { type Labels, seriesMax } from "./series.ts";

/** How long a gauge may take to be read. */
const readMsMax = 2_000;

/** Returns the metrics of a process as OpenTelemetry's SDK exports them: counts since the start, gauges as of now. */
export async function collectMetrics(
  { counters, histograms, gauges }: MetricRegistry,
  startedAt: Date,
): Promise<MetricData[]> {
  const startTime = hrTime(startedAt);
  const read = await Promise.all(
    [...gauges.values()].map(async ({ name, reads }) => ({ name, readings: await readAll(reads) })),
  );
  const endTime = hrTime(new Date());
  const point = <T>(attributes: Labels, value: T) => ({ startTime, endTime, attributes, value });
  return [
    ...[...counters.values()].map(
      ({ name, family }): MetricData => ({
        ...described(name, ValueType.INT),
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: [...family.entries()].map(([labels, { count }]) => point(labels, count)),
      }),
    ),
    ...[...histograms.values()].map(
      ({ name, family }): MetricData => ({
        ...described(name, ValueType.DOUBLE),
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: [...family.entries()].map(([labels, { boundaries, counts, count, sum }]) =>
          point(labels, { buckets: { boundaries: [...boundaries], counts: [...counts] }, count, sum }),
        ),
      }),
    ),
    ...read.map(
      ({ name, readings }): MetricData => ({
        ...described(name, ValueType.DOUBLE),
        dataPointType: DataPointType.GAUGE,
        dataPoints: readings.slice(0, seriesMax).map(({ labels, value }) => point(labels, value)),
      }),
    ),
  ];
}

function described(name: MetricName, valueType: ValueType) {
  return { descriptor: { ...name, valueType }, aggregationTemporality: AggregationTemporality.CUMULATIVE };
}

/** Reads what can be read in time. Telemetry never fails for the part that it reports on. */
async function readAll(reads: readonly ReadGauge[]): Promise<readonly Reading[]> {
  const all = reads.map(async (read) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly Reading[]>((resolve) => {
      timer = setTimeout(() => resolve([]), readMsMax);
    });
    try {
      return await Promise.race([read(), late]);
    } catch {
      return [];
    } finally {
      clearTimeout(timer);
    }
  });
  return (await Promise.all(all)).flat();
}

function hrTime(time: Date): HrTime {
  return [Math.floor(+time / 1_000), (+time % 1_000) * 1_000_000];
}
