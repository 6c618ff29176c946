import { describe, expect, it } from "vitest";
import { compare } from "../measure/compare.ts";
import type { Probe } from "../measure/proc.ts";
import { openSubjects } from "../measure/warm-subjects.ts";
import { createKeys } from "../programs/keys.ts";
import type { Bench, Subject } from "../subjects/subject.ts";

const pace = { warmUpSeconds: 1, roundSeconds: 1, pairs: 2, openLoopSeconds: 1, calls: 1, starts: 1, decides: true };
const tools = {
  ...{ wrk: undefined, vegeta: undefined, grpcClient: undefined, connectGo: undefined },
  ...{ nginx: undefined, redis: undefined, pgbench: undefined, baselines: false },
};
const bench: Bench = { root: "", before: undefined, tools, keys: createKeys(), pace, print: () => undefined };

/** Subjects whose rounds of 100 operations cost so many clock ticks, and what was done with them, in order. */
function synthetic() {
  const log: string[] = [];
  let ticks = 0;
  const costing = (name: string, ticksPerRound: number): Subject => ({
    name,
    async start() {
      log.push(`${name} starts`);
      return {
        counted: [],
        ask: async () => ({ loopDelayMs: ticksPerRound, gcPauseMs: 1 }),
        stop: async () => void log.push(`${name} stops`),
        load: {
          settle: async () => void log.push(`${name} settles`),
          async closed() {
            log.push(`${name} is loaded`);
            ticks += ticksPerRound;
            return { operations: 100, failures: 1, seconds: 1, p50Ms: 1, p99Ms: 2 };
          },
          async open(perSecond) {
            log.push(`${name} gets ${perSecond}`);
            return { operations: perSecond, failures: 0, seconds: 1, p50Ms: 3, p99Ms: 4 };
          },
        },
      };
    },
  });
  const probe: Probe = { ticksOf: () => ticks, residentBytesOf: () => 0, machine: () => ({ total: 0, steal: 0 }) };
  return { log, costing, probe };
}

describe("a comparison", () => {
  it("warms both sides up, measures pairs in turn, then each side's latency at half of its rate", async () => {
    const { log, costing, probe } = synthetic();
    const subjects = openSubjects(bench);
    await compare({ subject: costing("a", 20), baseline: costing("b", 20) }, bench, subjects, probe);
    await subjects.stop();
    const round = (name: string) => [`${name} settles`, `${name} is loaded`];
    expect(log).toEqual([
      ...["a starts", "a is loaded", "b starts", "b is loaded"],
      ...[...round("a"), ...round("b"), ...round("b"), ...round("a")],
      ...["a gets 50", "b gets 50", "a stops", "b stops"],
    ]);
  });

  it("starts, warms up and asks for the latency of what an earlier one of its row had no second time", async () => {
    const { log, costing, probe } = synthetic();
    const subjects = openSubjects(bench);
    await compare({ subject: costing("a", 20), baseline: costing("b", 20) }, bench, subjects, probe);
    log.length = 0;
    await compare({ subject: costing("a", 20), baseline: costing("c", 20) }, bench, subjects, probe);
    expect(log.filter((line) => !/settles|is loaded/.test(line))).toEqual(["c starts", "c gets 50"]);
    expect(log.filter((line) => line === "a is loaded")).toHaveLength(bench.pace.pairs);
  });

  it("has the cost of each side, their ratio, and what that says about what is wanted", async () => {
    const { costing, probe } = synthetic();
    const compared = await compare(
      { subject: costing("dear", 50), baseline: costing("cheap", 5), atLeast: 0.9 },
      bench,
      openSubjects(bench),
      probe,
    );
    expect(compared.ours).toEqual({
      name: "dear",
      cpuMicroseconds: 5_000,
      perSecond: 100,
      failures: 2,
      latency: { p50Ms: 3, p99Ms: 4, failures: 0, isLate: false },
      loopDelayMs: 50,
      gcPauseMs: 1,
    });
    expect(compared.baseline.cpuMicroseconds).toBe(500);
    expect(compared.ratio.estimate).toBeCloseTo(0.1);
    expect([compared.verdict, compared.kept, compared.thrownAway, compared.marked]).toEqual(["missed", 2, 0, 0]);
  });

  it("says so where the open loop did not send at its rate", async () => {
    const { costing, probe } = synthetic();
    const slow = costing("slow", 20);
    const subject: Subject = {
      ...slow,
      async start(at) {
        const running = await slow.start(at);
        const open = async () => ({ operations: 40, failures: 0, seconds: 1, p50Ms: 3, p99Ms: 4 });
        return { ...running, load: { ...running.load, open } };
      },
    };
    const compared = await compare({ subject, baseline: costing("b", 20) }, bench, openSubjects(bench), probe);
    expect([compared.ours.latency?.isLate, compared.baseline.latency?.isLate]).toEqual([true, false]);
  });

  it("whose rounds are too short decides nothing", async () => {
    const { costing, probe } = synthetic();
    const quick = { ...bench, pace: { ...pace, decides: false } };
    const compared = await compare(
      { subject: costing("a", 50), baseline: costing("b", 5), atLeast: 0.9 },
      quick,
      openSubjects(quick),
      probe,
    );
    expect(compared.verdict).toBe("undecided");
  });

  it("leaves nothing that cannot be stopped where the other side does not start", async () => {
    const { log, costing, probe } = synthetic();
    const subjects = openSubjects(bench);
    const broken: Subject = { name: "broken", start: () => Promise.reject(new Error("no such program")) };
    const compared = compare({ subject: costing("a", 1), baseline: broken }, bench, subjects, probe);
    await expect(compared).rejects.toThrow("no such program");
    await subjects.stop();
    expect(log).toEqual(["a starts", "a is loaded", "a stops"]);
  });
});
