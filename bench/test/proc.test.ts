import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { parseMachineStat, parseProcessStat, readProcesses, stealBetween, sumOfTrees } from "../measure/proc.ts";

const line =
  "4242 (node (a) b) S 17 4242 4242 0 -1 4194560 9 9 0 0 70 30 5 6 20 0 11 0 1000 1000000 250 18446744073709551615 1 1";

describe("a process", () => {
  it("is read with its children that ended, whatever its name is", () => {
    expect(parseProcessStat(line)).toEqual({ pid: 4242, parent: 17, ticks: 111, residentBytes: 250 * 4_096 });
  });

  it("counts with all that it started, and with nothing else", () => {
    const process = (pid: number, parent: number, ticks: number) => ({ pid, parent, ticks, residentBytes: ticks });
    const all = [
      process(1, 0, 1_000),
      process(10, 1, 1),
      process(11, 10, 20),
      process(12, 11, 300),
      process(13, 1, 4e3),
    ];
    expect(sumOfTrees([10], all)).toEqual({ ticks: 321, residentBytes: 321 });
    expect(sumOfTrees([10, 13], all).ticks).toBe(4_321);
    expect(sumOfTrees([10, 11], all).ticks).toBe(321);
    expect(sumOfTrees([99], all).ticks).toBe(0);
  });

  it("of this machine is found under its parent", async () => {
    const child = spawn("sleep", ["60"]);
    const ended = once(child, "exit");
    expect(readProcesses().find(({ pid }) => pid === child.pid)?.parent).toBe(process.pid);
    child.kill();
    await ended;
  });
});

describe("steal", () => {
  const before = parseMachineStat("cpu  100 0 100 700 50 0 0 50 30 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");

  it("is read from the machine's line, where guests' time is not counted twice", () => {
    expect(before).toEqual({ total: 1_000, steal: 50 });
  });

  it("is a share of the time between two readings", () => {
    expect(stealBetween(before, parseMachineStat("cpu  150 0 100 730 50 0 0 70 30 0\n"))).toBeCloseTo(0.2);
    expect(stealBetween(before, before)).toBe(0);
  });
});
