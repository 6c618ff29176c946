import { readFileSync } from "node:fs";
import { gatewayVariables } from "@rialto/gateway";
import { processVariableFamilies, processVariables } from "@rialto/service";
import type { Variables } from "@rialto/service/config";
import { describe, expect, it } from "vitest";
import { services } from "../src/services.ts";

/** A variable as the README describes it, without the words of its meaning. */
interface Row {
  readonly variable: string;
  readonly without: string;
  readonly readBy: string;
}

describe("the README's table of the environment", () => {
  it("has every declared variable once, with what applies without it and who reads it", () => {
    expect(rowsOfReadme().toSorted(byVariable)).toEqual(declaredRows().toSorted(byVariable));
  });
});

/** A variable that two declare is one row. They must agree on what applies without it. */
function declaredRows(): readonly Row[] {
  const declared = [
    ...processVariableFamilies.map((family) => ({ ...family, reader: "all" })),
    ...declaredBy("all", processVariables),
    ...declaredBy("gateway", gatewayVariables),
    ...services.flatMap(({ name, config }) => declaredBy(name, config)),
  ];
  const byName = Map.groupBy(declared, ({ name }) => name);
  return [...byName].map(([variable, all]) => ({
    variable,
    without: [...new Set(all.map(({ without }) => without))].join(" or "),
    readBy: all.map(({ reader }) => reader).join(", "),
  }));
}

function declaredBy(reader: string, variables: Variables) {
  return Object.values(variables).map(({ name, without }) => ({ name, without, reader }));
}

function rowsOfReadme(): readonly Row[] {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const section = readme.slice(readme.indexOf("## Environment"), readme.indexOf("## As many processes"));
  return [...section.matchAll(/^\| `([^`]+)` \| (.*) \| (.*) \| (.*) \|$/gm)].map(
    ([, variable = "", , without = "", readBy = ""]) => ({ variable, without, readBy }),
  );
}

function byVariable(one: Row, other: Row): number {
  return one.variable < other.variable ? -1 : 1;
}
