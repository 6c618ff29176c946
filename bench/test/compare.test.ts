import { describe, expect, it } from "vitest";
import { compare } from "../measure/compare.ts";
import type { Probe } from "../measure/proc.ts";
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
  const probe: Probe = { ticksOf: () => ticks, machine: () => ({ total: 0, steal: 0 }) };
  return { log, costing, probe };
}

describe("a comparison", () => {
  it("warms both sides up, measures pairs in turn, then each side's latency at half of its rate", async () => {
    const { log, costing, probe } = synthetic();
    await compare({ subject: costing("a", 20), baseline: costing("b", 20) }, bench, probe);
    const round = (name: string) => [`${name} settles`, `${name} is loaded`];
    expect(log).toEqual([
      ...["a starts", "b starts", "a is loaded", "b is loaded"],
      ...[...round("a"), ...round("b"), ...round("b"), ...round("a")],
      ...["a gets 50", "b gets 50", "a stops", "b stops"],
    ]);
  });

  it("has the cost of each side, their ratio, and what that says about what is wanted", async () => {
    const { costing, probe } = synthetic();
    const compared = await compare(
      { subject: costing("dear", 50), baseline: costing("cheap", 5), atLeast: 0.9 },
      bench,
      probe,
    );
    expect(compared.ours).toEqual({
      name: "dear",
      cpuMicroseconds: 5_000,
      perSecond: 100,
      failures: 2,
      latency: { p50Ms: 3, p99Ms: 4, failures: 0 },
      loopDelayMs: 50,
      gcPauseMs: 1,
    });
    expect(compared.baseline.cpuMicroseconds).toBe(500);
    expect(compared.ratio.estimate).toBeCloseTo(0.1);
    expect([compared.verdict, compared.kept, compared.thrownAway, compared.marked]).toEqual(["missed", 2, 0, 0]);
  });

  it("whose rounds are too short decides nothing", async () => {
    const { costing, probe } = synthetic();
    const quick = { ...bench, pace: { ...pace, decides: false } };
    const compared = await compare(
      { subject: costing("a", 50), baseline: costing("b", 5), atLeast: 0.9 },
      quick,
      probe,
    );
    expect(compared.verdict).toBe("undecided");
  });

  it("stops what it started where the other side does not start", async () => {
    const { log, costing, probe } = synthetic();
    const broken: Subject = { name: "broken", start: () => Promise.reject(new Error("no such program")) };
    await expect(compare({ subject: costing("a", 1), baseline: broken }, bench, probe)).rejects.toThrow(
      "no such program",
    );
    expect(log).toEqual(["a starts", "a stops"]);
  });
});
