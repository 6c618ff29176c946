import type { Alert, AlertCase } from "./alerts.ts";
import type { Plain } from "./yaml.ts";

/** The section of an alert, as GitHub makes its anchor. */
const sectionOf = ({ name }: Alert) => `docs/operate.md#${name.toLowerCase()}`;

/** Makes Prometheus' rule file. */
export function rulesOf(alerts: readonly Alert[]): Plain {
  const rules = alerts.map((alert) => ({
    alert: alert.name,
    expr: alert.expr,
    for: alert.holds,
    labels: { severity: alert.severity },
    annotations: annotationsOf(alert, (label) => `{{ $labels.${label} }}`),
  }));
  return { groups: [{ name: "rialto", rules }] };
}

/**
 * Makes promtool's tests of the rules: for each alert a case in which it fires at last, and one in which it does not
 * at any minute.
 */
export function ruleTestsOf(alerts: readonly Alert[], ruleFile: string): Plain {
  return { rule_files: [ruleFile], evaluation_interval: "1m", tests: alerts.flatMap(testsOf) };
}

function testsOf(alert: Alert): Plain[] {
  const { name, severity, fires, rests } = alert;
  const { labels } = fires;
  const fired = {
    exp_labels: { ...labels, severity },
    exp_annotations: annotationsOf(alert, (label) => labels[label] ?? ""),
  };
  const test = (what: string, series: AlertCase["series"], minutes: readonly number[], expected: Plain): Plain => ({
    name: `${name} ${what}`,
    interval: "1m",
    input_series: Object.entries(series).map(([of, values]) => ({ series: of, values })),
    alert_rule_test: minutes.map((minute) => ({ eval_time: `${minute}m`, alertname: name, exp_alerts: expected })),
  });
  const everyMinute = Array.from({ length: lastMinuteOf(rests.series) + 1 }, (_, minute) => minute);
  return [
    test("fires", fires.series, [lastMinuteOf(fires.series)], [fired]),
    test("does not fire", rests.series, everyMinute, []),
  ];
}

function annotationsOf(alert: Alert, labelValue: (label: string) => string) {
  const summary = alert.summary.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labelValue(label));
  return { summary, runbook: sectionOf(alert) };
}

/** The minute of the last value of the longest series, where every `for` has passed. */
function lastMinuteOf(series: AlertCase["series"]): number {
  const lengths = Object.values(series).map((values) =>
    values.split(" ").reduce((sum, part) => sum + 1 + Number(/x(\d+)$/.exec(part)?.[1] ?? 0), 0),
  );
  return Math.max(...lengths) - 1;
}
