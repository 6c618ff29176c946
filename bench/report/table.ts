import type { Compared, Latency, SideResult } from "../measure/compare.ts";
import type { Ratio, Verdict } from "../measure/ratio.ts";

/** A line of the table: one comparison of a row. */
export interface Line {
  readonly row: string;
  readonly compared: Compared;
}

const heads = [
  "row",
  "measured",
  "CPU µs/op",
  "ops/s",
  "p50 ms",
  "p99 ms",
  "loop p99 ms",
  "GC max ms",
  "ratio (95 %)",
  "wanted",
  "pairs",
];

/**
 * Formats the lines as a table of Markdown: each comparison is two rows, ours with the ratio and the baseline below it.
 * The ratio is the baseline's cost of an operation to ours, in CPU or in time as the row says: above 1 ours is cheaper.
 * Latency is at half of a side's own rate, in an open loop; in a comparison by time it is that of the rounds.
 */
export function tableOf(lines: readonly Line[]): string {
  const cells = lines.flatMap(({ row, compared }) => {
    const { ours, baseline, ratio, atLeast, verdict } = compared;
    return [
      [row, ...sideCells(ours), ratioText(ratio), wantedText(atLeast, verdict), pairsText(compared)],
      ["", ...sideCells(baseline), "1", "", ""],
    ];
  });
  const all = [heads, ...cells.map((row) => heads.map((_, column) => row[column] ?? ""))];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const text = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  const [head, ...rest] = all.map(text);
  return [head, rule, ...rest].join("\n");
}

function sideCells({ name, cpuMicroseconds, perSecond, failures, latency, loopDelayMs, gcPauseMs }: SideResult) {
  return [
    failures === 0 ? name : `${name} (${failures} failed)`,
    cpuMicroseconds.toFixed(1),
    `${Math.round(perSecond)}`,
    latency === undefined ? "-" : latency.p50Ms.toFixed(2),
    latency === undefined ? "-" : p99Text(latency),
    loopDelayMs === undefined ? "-" : loopDelayMs.toFixed(1),
    gcPauseMs === undefined ? "-" : gcPauseMs.toFixed(1),
  ];
}

function ratioText({ estimate, low, high }: Ratio): string {
  const range = Number.isFinite(high) ? `${digits(low)} to ${digits(high)}` : "one pair";
  return `${digits(estimate)} (${range})`;
}

function p99Text({ p99Ms, failures, isLate }: Latency): string {
  const faults = [...(failures === 0 ? [] : [`${failures} failed`]), ...(isLate ? ["load late"] : [])];
  return `${p99Ms.toFixed(2)}${faults.length === 0 ? "" : ` (${faults.join(", ")})`}`;
}

/** Three significant digits. */
function digits(value: number): string {
  return value >= 100 ? `${Math.round(value)}` : value.toPrecision(3);
}

function wantedText(atLeast: number | undefined, verdict: Verdict | undefined): string {
  if (atLeast === undefined || verdict === undefined) return "";
  return `>= ${atLeast}: ${verdict === "undecided" ? "not decided" : verdict}`;
}

function pairsText({ kept, thrownAway, marked }: Compared): string {
  const notes = [
    ...(thrownAway === 0 ? [] : [`${thrownAway} thrown away`]),
    ...(marked === 0 ? [] : [`${marked} disturbed`]),
  ];
  return notes.length === 0 ? `${kept}` : `${kept} (${notes.join(", ")})`;
}
