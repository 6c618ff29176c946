import { describe, expect, it } from "vitest";
import { measureProcessCosts, processCostsText, programOf } from "../measure/process-costs.ts";

describe("the program of a process", () => {
  it.each([
    ["/usr/bin/node\0/work/apps/order/src/main.ts\0", "order"],
    ["/usr/bin/redis-server 127.0.0.1:6379\0\0", "redis-server"],
    ["/opt/native/bin/postgres\0-D\0/tmp/data\0", "postgres"],
  ])("is named by its command line: %j", (commandLine, program) => {
    expect(programOf(commandLine)).toBe(program);
  });
});

describe("what an operation costs in each process", () => {
  it("is the CPU of the process divided by the operations, and is printed with its sum", async () => {
    const spin = async () => {
      const until = process.cpuUsage().user + 300_000;
      while (process.cpuUsage().user < until);
      return { operations: 10, failures: 0, seconds: 2, p50Ms: 1, p99Ms: 1 };
    };
    const costs = await measureProcessCosts({ counted: [process.pid], load: { closed: spin } }, 1);
    const [own] = costs.byProgram;
    expect(own?.microseconds).toBeGreaterThanOrEqual(28_000);
    expect(costs.perSecond).toBe(5);
    const byProgram = [
      { program: "order", microseconds: 900 },
      { program: "postgres", microseconds: 100.4 },
    ];
    expect(processCostsText("one", { perSecond: 5, byProgram })).toBe(
      "one: 5/s, 1000 µs each: order 900, postgres 100",
    );
  });
});
