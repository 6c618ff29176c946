import { readdirSync, readFileSync } from "node:fs";

/** One process as `/proc/PID/stat` shows it. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of its threads and of children that it has waited for, in clock ticks. */
  readonly ticks: number;
  readonly residentBytes: number;
}

/** The first line of `/proc/stat`: time of all processors since the machine started, in clock ticks. */
export interface MachineStat {
  readonly total: number;
  /** Time that the hypervisor gave to somebody else. */
  readonly steal: number;
}

/** USER_HZ: the same on every Linux that Node runs on. */
export const ticksPerSecond = 100;
const pageBytes = 4_096;

/** Reads a line of `/proc/PID/stat`. The name, in parentheses, may hold spaces and parentheses itself. */
export function parseProcessStat(line: string): ProcessStat {
  const after = line.slice(line.lastIndexOf(")") + 2).split(" ");
  // Numbered from 3, the state, as in proc_pid_stat(5): 14 to 17 are utime, stime, cutime, cstime; 24 is rss.
  const field = (number: number) => Number(after[number - 3]);
  return {
    pid: Number.parseInt(line, 10),
    parent: field(4),
    ticks: field(14) + field(15) + field(16) + field(17),
    residentBytes: field(24) * pageBytes,
  };
}

/** Reads the first line of `/proc/stat`. Guests' time is in user's already. */
export function parseMachineStat(text: string): MachineStat {
  const [, ...fields] = (text.split("\n", 1)[0] ?? "").trim().split(/\s+/);
  const ticks = fields.slice(0, 8).map(Number);
  return { total: ticks.reduce((sum, value) => sum + value, 0), steal: ticks[7] ?? 0 };
}

/** The share of the machine's time that was stolen between two readings, from 0 to 1. */
export function stealBetween(before: MachineStat, after: MachineStat): number {
  const total = after.total - before.total;
  return total <= 0 ? 0 : (after.steal - before.steal) / total;
}

/** Sums the trees that begin at the roots. A process that is under two of them counts once. */
export function sumOfTrees(
  roots: readonly number[],
  processes: readonly ProcessStat[],
): { readonly ticks: number; readonly residentBytes: number } {
  const childrenOf = Map.groupBy(processes, ({ parent }) => parent);
  const byPid = new Map(processes.map((process) => [process.pid, process]));
  const seen = new Set<number>();
  const queue = [...roots];
  const sum = { ticks: 0, residentBytes: 0 };
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    if (seen.has(pid)) continue;
    seen.add(pid);
    const process = byPid.get(pid);
    sum.ticks += process?.ticks ?? 0;
    sum.residentBytes += process?.residentBytes ?? 0;
    for (const child of childrenOf.get(pid) ?? []) queue.push(child.pid);
  }
  return sum;
}

/** Reads every process of this machine. Those that end meanwhile are left out. */
export function readProcesses(): readonly ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [parseProcessStat(readFileSync(`/proc/${pid}/stat`, "utf8"))];
      } catch {
        return [];
      }
    });
}

/** What is read of the machine around a round. */
export interface Probe {
  /** User and system time of the trees under these roots, in clock ticks. */
  ticksOf(roots: readonly number[]): number;
  /** Resident memory of the same. What processes share counts for each. */
  residentBytesOf(roots: readonly number[]): number;
  machine(): MachineStat;
}

/** Reads `/proc`. */
export const procProbe: Probe = {
  ticksOf: (roots) => sumOfTrees(roots, readProcesses()).ticks,
  residentBytesOf: (roots) => sumOfTrees(roots, readProcesses()).residentBytes,
  machine: () => parseMachineStat(readFileSync("/proc/stat", "utf8")),
};
