import { seriesOf } from "../metric-series.ts";
import { sixNames } from "../topology.ts";
import type { Moment, ProcessState } from "./moment.ts";
import { lagOf } from "./statements.ts";

const heads = ["when", "unready", "degraded", "rialto_ready", "lag", "oldest s", "200", "503", "504", "other"] as const;
const widths = [12, 38, 48, 12, 5, 8, 4, 4, 4, 5] as const;

/** The names above the columns of `momentLine`. */
export const momentHead = rowOf(heads);

/**
 * One moment as a line: the processes whose `/ready` is not 200, those whose `/health/services` is degraded and by
 * which part, in how many services `rialto_ready` is 1, what waits in the outboxes, and how orders were answered.
 */
export function momentLine(moment: Moment): string {
  const { phase, second, processes, orders } = moment;
  const unready = namesText(processes.filter(({ ready }) => ready !== 200));
  const reasons = [...new Set(processes.flatMap(reasonsOf))];
  const degraded = reasons.map(
    (reason) => `${reason}: ${namesText(processes.filter((state) => reasonsOf(state).includes(reason)))}`,
  );
  const ready = processes.flatMap(({ series }) => seriesOf(series, "rialto_ready"));
  const ages = processes.flatMap(({ series }) => seriesOf(series, "rialto_outbox_oldest_age_seconds"));
  const lag = lagOf(moment);
  return rowOf([
    `${phase} ${second} s`,
    unready,
    degraded.length === 0 ? "-" : degraded.join("; "),
    `${ready.filter(({ value }) => value === 1).length} of ${ready.length}`,
    Number.isNaN(lag) ? "-" : String(lag),
    ages.length === 0 ? "-" : Math.max(...ages.map(({ value }) => value)).toFixed(0),
    String(orders.accepted),
    String(orders.refused),
    String(orders.late),
    String(orders.others.length),
  ]);
}

function namesText(processes: readonly ProcessState[]): string {
  const names = processes.map(({ name }) => name);
  if (names.length === 0) return "-";
  if (names.length === sixNames.length) return "all six";
  return names.length === sixNames.length - 1 && !names.includes("gateway") ? "all services" : names.join(" ");
}

/** Why a process is degraded. */
function reasonsOf({ parts }: ProcessState): readonly string[] {
  if (parts.status === "ok") return [];
  const reasons = [
    ...(parts.jobs === "unreachable" ? ["jobs"] : []),
    ...(parts.rateLimits === "local-fallback" ? ["rateLimits"] : []),
    ...(isStale(parts.endedSessions) ? ["endedSessions"] : []),
    ...(Array.isArray(parts.services) && parts.services.some(hasOpenBreaker) ? ["services"] : []),
  ];
  return reasons.length === 0 ? ["?"] : reasons;
}

function isStale(sessions: unknown): boolean {
  return typeof sessions === "object" && sessions !== null && Reflect.get(sessions, "fresh") === false;
}

function hasOpenBreaker(service: unknown): boolean {
  const replicas: unknown = typeof service === "object" && service !== null ? Reflect.get(service, "replicas") : [];
  return Array.isArray(replicas) && replicas.some((replica) => Reflect.get(Object(replica), "breaker") !== "closed");
}

function rowOf(cells: readonly string[]): string {
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join(" ")
    .trimEnd();
}
