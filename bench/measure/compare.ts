import type { Bench, Running, Subject } from "../subjects/subject.ts";
import { cpuPerOperation, measurePairs, type Pairs, type Round, type Side, timePerOperation } from "./pairs.ts";
import { type Probe, procProbe, stealBetween, ticksPerSecond } from "./proc.ts";
import { median, type Ratio, ratioOf, type Verdict, verdictOf } from "./ratio.ts";
import type { WarmSubjects } from "./warm-subjects.ts";

/** Two subjects beside each other, and the least that the ratio of their costs has to be. */
export interface Comparison {
  readonly subject: Subject;
  readonly baseline: Subject;
  /** How many times cheaper the subject has to be: 0.5 allows twice the cost. */
  readonly atLeast?: number;
  /**
   * What an operation costs: CPU, where nothing is said, or time. By time the ratio is that of the rates, and the
   * latency that of the rounds themselves.
   */
  readonly by?: "cpu" | "time";
  /** Seconds of a round, where the pace of the bench does not fit. */
  readonly roundSeconds?: number;
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

/** Latency at half of the closed loop's rate, or at the most that an open loop sends; or of the rounds themselves. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests that were refused, failed, or late by the load's timeout. */
  readonly failures: number;
  /** The load could not be sent at its rate: the latency is the load generator's as much as the server's. */
  readonly isLate: boolean;
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
 * The most that an open loop sends. Its load generator takes about 0.1 ms of a processor for each request of HTTP: on
 * two processors it would be the one that is late above this rate, and the latencies would be its own.
 */
const openLoopPerSecondMax = 4_000;
/** An open loop that sent less than this share of what it was to send is late. */
const sentShareMin = 0.95;

/**
 * Measures pairs of rounds of two warm subjects in a closed loop; then each side's latency in an open loop at half of
 * its own rate, where that was not measured for another comparison.
 */
export async function compare(
  { subject, baseline, atLeast, by = "cpu", roundSeconds }: Comparison,
  bench: Bench,
  subjects: WarmSubjects,
  probe: Probe = procProbe,
): Promise<Compared> {
  const sides = { ours: await subjects.ready(subject), baseline: await subjects.ready(baseline) };
  const pairs = await measurePairs({
    pairs: bench.pace.pairs,
    round: (side) => measureRound(sides[side], secondsOf(bench, roundSeconds), probe),
    onThrownAway: (pair) => bench.print(`  pair thrown away: ${stolen(pair.ours)} and ${stolen(pair.baseline)} stolen`),
  });
  const costOf = by === "cpu" ? cpuPerOperation : timePerOperation;
  const ratio = ratioOf(pairs.kept.map((pair) => [costOf(pair.ours), costOf(pair.baseline)]));
  const result = (side: Side, of: Subject) =>
    resultOf(of, pairs, side, async (perSecond) =>
      by === "time"
        ? latencyOfRounds(pairs.kept.map((pair) => pair[side]))
        : await subjects.latencyOf(of, () => measureLatency(sides[side], perSecond, bench.pace.openLoopSeconds)),
    );
  return {
    ours: await result("ours", subject),
    baseline: await result("baseline", baseline),
    ratio,
    atLeast,
    // Rounds that are too short decide nothing, however alike they are.
    verdict: atLeast === undefined ? undefined : bench.pace.decides ? verdictOf(ratio, atLeast) : "undecided",
    kept: pairs.kept.length,
    thrownAway: pairs.thrownAway.length,
    marked: pairs.kept.filter(({ isMarked }) => isMarked).length,
  };
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
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
  };
}

/** What `--quick` makes short stays short. */
function secondsOf({ pace }: Bench, roundSeconds: number | undefined): number {
  return roundSeconds === undefined || !pace.decides ? pace.roundSeconds : roundSeconds;
}

function latencyOfRounds(rounds: readonly Round[]): Latency {
  const middle = (times: readonly (number | undefined)[]) => median(times.filter((time) => time !== undefined));
  const [p50Ms, p99Ms] = [middle(rounds.map((round) => round.p50Ms)), middle(rounds.map((round) => round.p99Ms))];
  return { p50Ms, p99Ms, failures: 0, isLate: false };
}

async function resultOf(
  { name }: Subject,
  { kept }: Pairs,
  side: Side,
  latencyAt: (perSecond: number) => Promise<Latency | undefined>,
): Promise<SideResult> {
  const rounds = kept.map((pair) => pair[side]);
  const perSecond = median(rounds.map(({ operations, seconds }) => operations / seconds));
  return {
    name,
    cpuMicroseconds: median(rounds.map(cpuPerOperation)),
    perSecond,
    failures: rounds.reduce((sum, { failures }) => sum + failures, 0),
    latency: await latencyAt(Math.min(openLoopPerSecondMax, Math.max(1, Math.floor(perSecond / 2)))),
    loopDelayMs: worst(rounds.map(({ loopDelayMs }) => loopDelayMs)),
    gcPauseMs: worst(rounds.map(({ gcPauseMs }) => gcPauseMs)),
  };
}

async function measureLatency({ load }: Running, perSecond: number, seconds: number): Promise<Latency | undefined> {
  const found = await load.open?.(perSecond, seconds);
  if (found === undefined) return undefined;
  const sent = (found.operations + found.failures) / found.seconds;
  const { p50Ms, p99Ms, failures } = found;
  return { p50Ms, p99Ms, failures, isLate: sent < sentShareMin * perSecond };
}

function worst(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function stolen({ steal }: Round): string {
  return `${(steal * 100).toFixed(1)} %`;
}
