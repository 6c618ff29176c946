import {
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as ChartBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** A query of a panel. */
export interface Query {
  readonly expr: string;
  /** The name of each series: "{{service}}". */
  readonly legend: string;
}

/** A panel: a chart over time, or one number. */
export interface PanelSpec {
  readonly kind: "chart" | "figure";
  readonly title: string;
  /** What it shows, and what is good. */
  readonly description: string;
  /** Of Grafana's units: "s", "reqps", "percentunit". */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** A value from which on it is drawn in red. */
  readonly badFrom?: number;
}

export interface DashboardSpec {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Whether a service can be chosen, as `$service`. */
  readonly hasServices: boolean;
  /** Panels of one kind in each row. */
  readonly rows: readonly { readonly title: string; readonly panels: readonly PanelSpec[] }[];
}

/** The Prometheus that a person chooses at the top of the dashboard. */
const datasource = { type: "prometheus", uid: "$" + "{datasource}" };
/** Links the dashboards with each other. */
const tag = "rialto";
const columns = 24;

/** Makes a dashboard as Grafana imports it, in the classic format, which every version from 8 on reads. */
export function createDashboard({ uid, title, description, hasServices, rows }: DashboardSpec): Dashboard {
  const others = new DashboardLinkBuilder("Rialto").type(DashboardLinkType.Dashboards).tags([tag]).asDropdown(false);
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([tag])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"))
    .link(others.keepTime(true));
  if (hasServices) builder.withVariable(serviceVariable());
  let id = 0;
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(++id));
    for (const panel of row.panels) builder.withPanel(panelBuilder(panel, ++id, row.panels));
  }
  return builder.build();
}

function serviceVariable() {
  return new QueryVariableBuilder("service")
    .label("Service")
    .datasource(datasource)
    .query("label_values(rialto_ready, service)")
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ text: "All", value: "$__all" });
}

function panelBuilder(spec: PanelSpec, id: number, row: readonly PanelSpec[]): { build(): Panel } {
  const builder = spec.kind === "figure" ? figure(columns / row.length) : chart(columns / (row.length === 4 ? 4 : 3));
  builder.id(id).title(spec.title).description(spec.description).unit(spec.unit).datasource(datasource);
  for (const [n, { expr, legend }] of spec.queries.entries()) {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + n))
      .expr(expr)
      .legendFormat(legend);
    builder.withTarget(spec.kind === "figure" ? query.instant() : query.range());
  }
  const steps = [
    { value: null, color: "green" },
    ...(spec.badFrom === undefined ? [] : [{ value: spec.badFrom, color: "red" }]),
  ];
  return builder.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps));
}

function chart(span: number): ChartBuilder {
  return new ChartBuilder()
    .height(8)
    .span(span)
    .min(0)
    .fillOpacity(10)
    .showPoints(VisibilityMode.Never)
    .legend(new VizLegendOptionsBuilder().showLegend(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
}

function figure(span: number): StatBuilder {
  return new StatBuilder()
    .height(4)
    .span(span)
    .noValue("none")
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
}
