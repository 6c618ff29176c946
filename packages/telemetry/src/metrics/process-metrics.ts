import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Metrics } from "./metrics.ts";

/** How often the event loop is looked at. */
const resolutionMs = 20;

/** Adds the gauges of the process itself. Returns a function that ends the measuring. */
export function addProcessMetrics(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  metrics.gauge(
    {
      name: "nodejs.eventloop.delay",
      unit: "s",
      description: "How late the event loop ran since the last collection, by quantile",
    },
    () => {
      // A timer of the measuring itself is late by its resolution.
      const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000);
      const readings = [50, 90, 99].map((percent) => ({
        labels: { quantile: String(percent / 100) },
        value: seconds(delay.percentile(percent)),
      }));
      const most = { labels: { quantile: "1" }, value: seconds(delay.max) };
      delay.reset();
      return [...readings, most];
    },
  );
  const byteGauge = (name: string, description: string, read: () => number) =>
    metrics.gauge({ name, unit: "By", description }, () => [{ labels: {}, value: read() }]);
  byteGauge("v8js.memory.heap.used", "What objects take of the heap", () => process.memoryUsage().heapUsed);
  byteGauge("v8js.memory.heap.limit", "What the heap may take", () => getHeapStatistics().heap_size_limit);
  byteGauge("process.memory.usage", "Physical memory of the process", () => process.memoryUsage.rss());
  return () => delay.disable();
}
