import type { AttackTotals } from "./attack-plan.ts";
import type { CustomerResult } from "./customer.ts";
import type { Processes } from "./system.ts";

/** The result of one attack. */
export interface Row {
  readonly processes: Processes;
  readonly addresses: number;
  readonly quiet: CustomerResult;
  readonly attacked: CustomerResult;
  readonly totals: AttackTotals | undefined;
  /** Processes that ended unexpectedly. */
  readonly died: readonly string[];
}

const heads = [
  "processes",
  "attackers",
  "refused, quiet",
  "refused, attacked",
  "p50 ms",
  "p99 ms",
  "attacker's requests",
  "died",
];

/** Formats the rows as a plain-text table. Times are "quiet -> attacked". */
export function resultTable(rows: readonly Row[]): string {
  const lines = rows.map(({ processes, addresses, quiet, attacked, totals, died }) => [
    processes,
    `${addresses}`,
    `${quiet.refused.length} of ${quiet.made}`,
    `${attacked.refused.length} of ${attacked.made}`,
    `${percentile(quiet.ms, 0.5)} -> ${percentile(attacked.ms, 0.5)}`,
    `${percentile(quiet.ms, 0.99)} -> ${percentile(attacked.ms, 0.99)}`,
    `${totals?.requests ?? "?"}`,
    `${died.length}`,
  ]);
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [heads, widths.map((width) => "-".repeat(width)), ...lines].map(lineOf).join("\n");
}

/** The percentile of sorted values, by nearest rank. */
function percentile(sorted: readonly number[], part: number): number {
  return Math.round(sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0);
}
