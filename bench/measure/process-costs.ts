import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Running } from "../subjects/subject.ts";
import { readProcesses, sumOfTrees, ticksPerSecond } from "./proc.ts";

/** What an operation costs, and in which processes. */
export interface ProcessCosts {
  readonly perSecond: number;
  /** CPU of all replicas of a program for one operation, in microseconds, by the program's name; the dearest first. */
  readonly byProgram: readonly { readonly program: string; readonly microseconds: number }[];
}

/** Runs the closed loop for a time, and divides the CPU of each process tree by the operations that counted. */
export async function measureProcessCosts(
  { counted, load }: Pick<Running, "counted" | "load">,
  seconds: number,
): Promise<ProcessCosts> {
  await load.settle?.();
  const programs = counted.map((pid) => ({ pid, program: programOf(readFileSync(`/proc/${pid}/cmdline`, "utf8")) }));
  const read = () => {
    const processes = readProcesses();
    return programs.map(({ pid }) => sumOfTrees([pid], processes).ticks);
  };
  const before = read();
  const { operations, seconds: took } = await load.closed(seconds);
  const after = read();
  const sums = new Map<string, number>();
  for (const [index, { program }] of programs.entries()) {
    const ticks = (after[index] ?? 0) - (before[index] ?? 0);
    sums.set(program, (sums.get(program) ?? 0) + (ticks * 1e6) / ticksPerSecond / operations);
  }
  const byProgram = [...sums].map(([program, microseconds]) => ({ program, microseconds }));
  return { perSecond: operations / took, byProgram: byProgram.sort((a, b) => b.microseconds - a.microseconds) };
}

/** Names a program by its command line as `/proc/PID/cmdline` has it: the folder in `apps`, or the program's file. */
export function programOf(commandLine: string): string {
  const words = commandLine.split("\0");
  const app = words.map((word) => /\/apps\/([a-z]+)\//.exec(word)?.[1]).find((name) => name !== undefined);
  return app ?? basename(words[0]?.split(" ", 1)[0] ?? "");
}

/** A line for what an operation costs in each program. */
export function processCostsText(name: string, { perSecond, byProgram }: ProcessCosts): string {
  const sum = byProgram.reduce((all, { microseconds }) => all + microseconds, 0);
  const parts = byProgram.map(({ program, microseconds }) => `${program} ${microseconds.toFixed(0)}`);
  return `${name}: ${perSecond.toFixed(0)}/s, ${sum.toFixed(0)} µs each: ${parts.join(", ")}`;
}
