import { readFileSync } from "node:fs";
import { callerNames } from "@rialto/service/config";
import { describe, expect, it } from "vitest";
import { dashboardNames, deployed, deployedAlerts, metricsIn, queriesOf } from "./dashboards/deployed-queries.ts";

const operate = readFileSync(new URL("../../../docs/operate.md", import.meta.url), "utf8");
const alerts = deployedAlerts();
const sections = [...operate.matchAll(/^### (Rialto\w+)$/gm)].map(([, name = ""]) => name);

describe("each alert", () => {
  it.each(alerts)("$name has its section in docs/operate.md, which its annotation links to", ({ name, runbook }) => {
    expect(sections).toContain(name);
    expect(runbook).toBe(`docs/operate.md#${name.toLowerCase()}`);
    const section = operate.split(`### ${name}\n`)[1]?.split(/^##/m)[0] ?? "";
    expect(section.trim().length).toBeGreaterThan(80);
  });

  it("RialtoServiceMissing names each process that there is, and deploy/prometheus.yml scrapes them", () => {
    const example = readFileSync(new URL("prometheus.yml", deployed), "utf8");
    const scraped = /names: \[(.*)\]/.exec(example)?.[1]?.split(", ") ?? [];
    expect(scraped.toSorted()).toEqual(callerNames.toSorted());
    const { expr = "" } = alerts.find(({ name }) => name === "RialtoServiceMissing") ?? {};
    expect([...expr.matchAll(/service="(\w+)"/g)].map(([, name]) => name).sort()).toEqual(scraped.sort());
  });

  it("of docs/operate.md is deployed", () => {
    expect(sections.filter((name) => !alerts.some((alert) => alert.name === name))).toEqual([]);
    expect(new Set(sections).size).toBe(sections.length);
  });
});

describe("the metrics of the dashboards and alerts", () => {
  it.each([
    ...dashboardNames.map((name) => ({ name, exprs: queriesOf(name).map(({ expr }) => expr) })),
    { name: "alerts", exprs: alerts.map(({ expr }) => expr) },
  ])("$name: are explained in docs/operate.md", ({ exprs }) => {
    const metrics = new Set(
      exprs.flatMap(metricsIn).map((name) => name.replace(/_seconds_(?:bucket|count)$/, "_seconds")),
    );
    expect(metrics.size).toBeGreaterThan(5);
    expect([...metrics].filter((name) => !operate.includes(`\`${name}\``))).toEqual([]);
  });
});
