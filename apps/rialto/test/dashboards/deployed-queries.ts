import { readFileSync } from "node:fs";

/** A query that stands in a deployed file, as it is sent to Prometheus. */
export interface DeployedQuery {
  /** "orders: Queueing delay", "alert RialtoNotReady". */
  readonly place: string;
  readonly expr: string;
  /** Whether it has a value in a healthy system. Alerts have none there. */
  readonly hasValue: boolean;
}

export const deployed = new URL("../../../../deploy/", import.meta.url);
export const dashboardNames = ["orders", "services"] as const;

/** Panels of what one process does not do: it calls nothing over the network. */
const withoutValue: ReadonlySet<string> = new Set(["Retries of calls"]);

/** What Grafana writes for these before it sends a query. */
const variables: Readonly<Record<string, string>> = { $__rate_interval: "1m", $service: ".*" };

/** Returns the queries of a dashboard, with the variables as Grafana fills them in. */
export function queriesOf(name: string): readonly DeployedQuery[] {
  const { panels }: { readonly panels: readonly Panel[] } = JSON.parse(textOf(`grafana/${name}.json`));
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      place: `${name}: ${title}`,
      expr: Object.entries(variables).reduce((text, [variable, value]) => text.replaceAll(variable, value), expr),
      hasValue: !withoutValue.has(title),
    })),
  );
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** An alert of the rule file. */
export interface DeployedAlert {
  readonly name: string;
  readonly expr: string;
  readonly runbook: string;
}

/** Returns the alerts of the rule file. It is generated, so its lines have one form. */
export function deployedAlerts(): readonly DeployedAlert[] {
  const [, ...rules] = textOf("grafana/alerts.yml").split("- alert: ");
  const valueIn = (rule: string, pattern: RegExp) => (pattern.exec(rule)?.[1] ?? "").replace(/^(['"])(.*)\1$/, "$2");
  return rules.map((rule) => ({
    name: valueIn(rule, /^(.*)$/m),
    expr: valueIn(rule, /^ +expr: (.*)$/m),
    runbook: valueIn(rule, /^ +runbook: (.*)$/m),
  }));
}

/** Of ours, or by its unit where the name is one of OpenTelemetry's conventions: their labels begin alike. */
const metricName = /\b(?:rialto_\w+|\w+_(?:seconds|bytes|count|bucket|requests|max))\b/g;

/** Returns the names of the metrics in a query. */
export function metricsIn(expr: string): readonly string[] {
  return expr.match(metricName) ?? [];
}

function textOf(path: string): string {
  return readFileSync(new URL(path, deployed), "utf8");
}
