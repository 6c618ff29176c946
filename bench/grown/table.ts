import type { Compared } from "./measure.ts";

/** How much more a call may cost on the large tables: a level for each index, and these factors. */
const levelsPerIndex = 2;
const p50FactorMax = 1.3;
const p99FactorMax = 2;

/** The names of what grew by more than it may: empty for most calls. */
export function exceededBy({ small, large }: Compared): readonly string[] {
  return [
    ...(large.buffers > small.buffers + levelsPerIndex * small.indexes ? ["buffers"] : []),
    ...(large.p50Ms > small.p50Ms * p50FactorMax ? ["p50"] : []),
    ...(large.p99Ms > small.p99Ms * p99FactorMax ? ["p99"] : []),
  ];
}

/** A table in Markdown: what each call costs on the small and on the large tables, and what grew by too much. */
export function grownTable(sizes: { readonly small: number; readonly large: number }, calls: readonly Compared[]) {
  const [small, large] = [sizes.small, sizes.large].map((orders) => orders.toLocaleString("en-US"));
  const heads = ["call", `buffers at ${small}`, `at ${large}`, "may be", "p50 ms", "", "p99 ms", "", "exceeds"];
  const rows = calls.map((compared) => {
    const { small: from, large: to } = compared;
    return [
      from.call,
      String(from.buffers),
      String(to.buffers),
      String(from.buffers + levelsPerIndex * from.indexes),
      from.p50Ms.toFixed(2),
      to.p50Ms.toFixed(2),
      from.p99Ms.toFixed(2),
      to.p99Ms.toFixed(2),
      exceededBy(compared).join(", "),
    ];
  });
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
