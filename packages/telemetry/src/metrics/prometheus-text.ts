import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";

/**
 * Writes metrics in Prometheus' text format 0.0.4. Names are those of OpenTelemetry with underscores, and with the unit
 * and `_total` that Prometheus' conventions ask for: "rpc.server.call.duration" in seconds is
 * `rpc_server_call_duration_seconds`.
 *
 * OpenTelemetry's own exporter for it pins an older SDK, which would be loaded beside ours.
 */
export function prometheusText(metrics: readonly MetricData[]): string {
  return metrics
    .filter(({ dataPoints }) => dataPoints.length > 0)
    .map((metric) => textOf(metric))
    .join("");
}

function textOf(metric: MetricData): string {
  const name = nameOf(metric);
  const head = `# HELP ${name} ${escaped(metric.descriptor.description)}\n# TYPE ${name} ${typeOf(metric)}\n`;
  return head + linesOf(name, metric).join("");
}

function linesOf(name: string, metric: MetricData): readonly string[] {
  switch (metric.dataPointType) {
    case DataPointType.HISTOGRAM:
      return metric.dataPoints.flatMap(({ attributes, value: { buckets, count, sum = 0 } }) => {
        let below = 0;
        const lines = buckets.counts.map((inBucket, at) => {
          below += inBucket;
          return line(`${name}_bucket`, { ...attributes, le: String(buckets.boundaries[at] ?? "+Inf") }, below);
        });
        return [...lines, line(`${name}_sum`, attributes, sum), line(`${name}_count`, attributes, count)];
      });
    case DataPointType.SUM:
    case DataPointType.GAUGE:
      return metric.dataPoints.map(({ attributes, value }) => line(name, attributes, value));
    default:
      throw new Error(`${name} is of a kind that is not made here`);
  }
}

const units: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

function nameOf(metric: MetricData): string {
  const { name, unit } = metric.descriptor;
  const suffix = units[unit] ?? "";
  const total = metric.dataPointType === DataPointType.SUM ? "_total" : "";
  return `${name.replace(/[^a-zA-Z0-9_]/g, "_")}${suffix}${total}`;
}

function typeOf({ dataPointType }: MetricData): string {
  if (dataPointType === DataPointType.SUM) return "counter";
  return dataPointType === DataPointType.HISTOGRAM ? "histogram" : "gauge";
}

function line(name: string, attributes: Attributes, value: number): string {
  const labels = Object.entries(attributes).map(
    ([label, text]) => `${label.replace(/[^a-zA-Z0-9_]/g, "_")}="${escaped(String(text)).replaceAll('"', '\\"')}"`,
  );
  return `${name}{${labels.join(",")}} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
