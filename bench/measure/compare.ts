import type { LoadResult } from "../load/plan.ts";
import type { Bench, Running, Subject } from "../subjects/subject.ts";
import { cpuPerOperation, measurePairs, type Pairs, type Round, type Side } from "./pairs.ts";
import { type Probe, procProbe, stealBetween, ticksPerSecond } from "./proc.ts";
import { median, type Ratio, ratioOf, type Verdict, verdictOf } from "./ratio.ts";

/** Two subjects beside each other, and the least that the ratio of their costs has to be. */
export interface Comparison {
  readonly subject: Subject;
  readonly baseline: Subject;
  /** How many times cheaper the subject has to be: 0.5 allows twice the cost. */
  readonly atLeast?: number;
}

/** What one side was over all pairs that count: medians of its rounds. */
export interface SideResult {
  readonly name: string;
  readonly cpuMicroseconds: number;
  readonly perSecond: number;
  readonly failures: number;
  readonly latency: Latency | undefined;
  readonly loopDelayMs: number | undefined;
  readonly gcPauseMs: number | undefined;
}

/** Latency at half of the closed loop's rate. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests that were refused, failed, or late by the load's timeout. */
  readonly failures: number;
}

/** A comparison that was measured. */
export interface Compared {
  readonly ours: SideResult;
  readonly baseline: SideResult;
  readonly ratio: Ratio;
  readonly atLeast: number | undefined;
  readonly verdict: Verdict | undefined;
  readonly kept: number;
  readonly thrownAway: number;
  readonly marked: number;
}

/**
 * Starts both subjects, warms them up, and measures pairs of rounds in a closed loop; then each side's latency in an
 * open loop at half of its own rate.
 */
export async function compare(
  { subject, baseline, atLeast }: Comparison,
  bench: Bench,
  probe: Probe = procProbe,
): Promise<Compared> {
  const started = new Map<Side, Running>();
  try {
    started.set("ours", await subject.start(bench));
    started.set("baseline", await baseline.start(bench));
    const at = (side: Side): Running => {
      const running = started.get(side);
      if (running === undefined) throw new Error(`${side} was not started`);
      return running;
    };
    for (const side of started.keys()) await warmUp(at(side), bench);
    const pairs = await measurePairs({
      pairs: bench.pace.pairs,
      round: (side) => measureRound(at(side), bench.pace.roundSeconds, probe),
      onThrownAway: (pair) =>
        bench.print(`  pair thrown away: ${stolen(pair.ours)} and ${stolen(pair.baseline)} stolen`),
    });
    const ratio = ratioOf(pairs.kept.map((pair) => [cpuPerOperation(pair.ours), cpuPerOperation(pair.baseline)]));
    return {
      ours: await resultOf("ours", subject.name, at("ours"), pairs, bench),
      baseline: await resultOf("baseline", baseline.name, at("baseline"), pairs, bench),
      ratio,
      atLeast,
      // Rounds that are too short decide nothing, however alike they are.
      verdict: atLeast === undefined ? undefined : bench.pace.decides ? verdictOf(ratio, atLeast) : "undecided",
      kept: pairs.kept.length,
      thrownAway: pairs.thrownAway.length,
      marked: pairs.kept.filter(({ isMarked }) => isMarked).length,
    };
  } finally {
    for (const running of started.values()) await running.stop();
  }
}

async function warmUp({ load }: Running, { pace }: Bench): Promise<void> {
  await load.closed(pace.warmUpSeconds);
}

/** Measures one round: the load, the CPU of the trees under it, and what was stolen meanwhile. */
export async function measureRound(
  { load, counted, ask }: Running,
  seconds: number,
  probe: Probe = procProbe,
): Promise<Round> {
  await load.settle?.();
  await ask();
  const machine = probe.machine();
  const before = probe.ticksOf(counted);
  const result = await load.closed(seconds);
  const after = probe.ticksOf(counted);
  const steal = stealBetween(machine, probe.machine());
  const report = await ask();
  return {
    operations: result.operations,
    failures: result.failures,
    seconds: result.seconds,
    cpuSeconds: (after - before) / ticksPerSecond,
    steal,
    loopDelayMs: report?.loopDelayMs,
    gcPauseMs: report?.gcPauseMs,
  };
}

async function resultOf(
  side: Side,
  name: string,
  running: Running,
  { kept }: Pairs,
  { pace }: Bench,
): Promise<SideResult> {
  const rounds = kept.map((pair) => pair[side]);
  const perSecond = median(rounds.map(({ operations, seconds }) => operations / seconds));
  const half = Math.max(1, Math.floor(perSecond / 2));
  const open = await running.load.open?.(half, pace.openLoopSeconds);
  return {
    name,
    cpuMicroseconds: median(rounds.map(cpuPerOperation)),
    perSecond,
    failures: rounds.reduce((sum, { failures }) => sum + failures, 0),
    latency: open === undefined ? undefined : latencyOf(open),
    loopDelayMs: worst(rounds.map(({ loopDelayMs }) => loopDelayMs)),
    gcPauseMs: worst(rounds.map(({ gcPauseMs }) => gcPauseMs)),
  };
}

function latencyOf({ p50Ms, p99Ms, failures }: LoadResult): Latency {
  return { p50Ms, p99Ms, failures };
}

function worst(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function stolen({ steal }: Round): string {
  return `${(steal * 100).toFixed(1)} %`;
}
