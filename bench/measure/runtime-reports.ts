import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What a Node process under test was, since it was last asked. */
export interface RuntimeReport {
  /** The 99th percentile of how late its timers were. */
  readonly loopDelayMs: number;
  readonly gcPauseMs: number;
}

/** Asks the processes of one subject, which carry `preload/runtime-report.ts`. */
export interface RuntimeReports {
  /** The environment of those processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Begins anew in each of them, and returns the worst of what they were; undefined where none is Node. */
  ask(): Promise<RuntimeReport | undefined>;
  close(): void;
}

const preload = new URL("../preload/runtime-report.ts", import.meta.url).href;
const answerMsMax = 5_000;
const pollMs = 10;

/** Opens a folder that processes report to. */
export function openRuntimeReports(): RuntimeReports {
  const folder = mkdtempSync(join(tmpdir(), "rialto-bench-reports-"));
  return {
    env: { BENCH_REPORTS: folder, NODE_OPTIONS: `--import=${preload}` },
    async ask() {
      const pids = readdirSync(folder).flatMap((name) => (name.endsWith(".pid") ? [Number.parseInt(name, 10)] : []));
      const reports: RuntimeReport[] = [];
      for (const pid of pids.filter(signal)) {
        const report = await readReport(join(folder, `${pid}.json`));
        if (report !== undefined) reports.push(report);
      }
      if (reports.length === 0) return undefined;
      return {
        loopDelayMs: Math.max(...reports.map(({ loopDelayMs }) => loopDelayMs)),
        gcPauseMs: Math.max(...reports.map(({ gcPauseMs }) => gcPauseMs)),
      };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Returns whether the process is there to be asked. */
function signal(pid: number): boolean {
  try {
    return process.kill(pid, "SIGUSR2");
  } catch {
    return false;
  }
}

async function readReport(file: string): Promise<RuntimeReport | undefined> {
  for (let waitedMs = 0; waitedMs < answerMsMax; waitedMs += pollMs) {
    await sleep(pollMs);
    try {
      // Written by the preload module only, and renamed when it is whole.
      const report = JSON.parse(readFileSync(file, "utf8")) as RuntimeReport;
      rmSync(file);
      return report;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return undefined;
}
