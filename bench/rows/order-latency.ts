import type { LoadResult } from "../load/plan.ts";
import { ordersOf } from "../load/shop-load.ts";
import type { Bench, Subject } from "../subjects/subject.ts";
import type { Row } from "./row.ts";
import { oneStatement, rialtoShop } from "./shops.ts";

const closedSeconds = 10;
const openSeconds = 20;
const rounds = 3;
/** What is wanted of the 99th percentile: one of both. */
const wanted = { ms: 50, timesOneStatement: 5 };

/**
 * How long the answer to an order takes in an open loop at half of what a closed one of 32 connections got, with the
 * saga running; beside Postgres alone at half of its own rate. They take turns.
 */
export const orderLatencyRow: Row = {
  name: "order-latency",
  async figures(bench) {
    const rialto = rialtoShop(bench, (shop, at) => ordersOf(shop, at));
    const postgres = oneStatement(bench);
    for (const { name, missing } of [rialto, postgres])
      if (missing !== undefined) return [`${name}: left out, ${missing} is missing`];
    if (bench.tools.vegeta === undefined) return [`${rialto.name}: left out, vegeta is missing`];
    const found = { ours: [] as Latency[], alone: [] as Latency[] };
    for (let round = 0; round < (bench.pace.decides ? rounds : 1); round += 1) {
      found.ours.push(await latencyOf(rialto, bench));
      found.alone.push(await latencyOf(postgres, bench));
    }
    const [ours, alone] = [found.ours, found.alone].map(middle);
    if (ours === undefined || alone === undefined) throw new Error("there are rounds");
    const times = ours.open.p99Ms / alone.open.p99Ms;
    const isHeld = ours.open.p99Ms <= wanted.ms || times <= wanted.timesOneStatement;
    return [
      text(rialto, ours),
      text(postgres, alone),
      `p99 is ${times.toPrecision(2)} times that of one statement; wanted at most ${wanted.ms} ms or ` +
        `${wanted.timesOneStatement} times: ${isHeld ? "met" : "missed"}`,
    ];
  },
};

interface Latency {
  readonly closed: LoadResult;
  readonly open: LoadResult;
}

async function latencyOf(subject: Subject, bench: Bench): Promise<Latency> {
  const scale = bench.pace.decides ? 1 : 0.1;
  const running = await subject.start(bench);
  try {
    const { load } = running;
    await load.closed(bench.pace.warmUpSeconds);
    await load.settle?.();
    const closed = await load.closed(closedSeconds * scale);
    await load.settle?.();
    const perSecond = Math.max(1, Math.floor(closed.operations / closed.seconds / 2));
    const open = await load.open?.(perSecond, openSeconds * scale);
    if (open === undefined) throw new Error(`${subject.name} has no open loop`);
    bench.print(`  ${text(subject, { closed, open })}`);
    return { closed, open };
  } finally {
    await running.stop();
  }
}

/** The round whose 99th percentile is the middle one. */
function middle(all: readonly Latency[]): Latency | undefined {
  return all.toSorted((one, other) => one.open.p99Ms - other.open.p99Ms)[Math.floor(all.length / 2)];
}

function text({ name }: Subject, { closed, open }: Latency): string {
  const [peak, sent] = [closed.operations / closed.seconds, (open.operations + open.failures) / open.seconds];
  const refused = open.failures === 0 ? "" : `, ${open.failures} failed`;
  return `${name}: ${sent.toFixed(0)}/s of ${peak.toFixed(0)}: p50 ${open.p50Ms.toFixed(1)} ms, p99 ${open.p99Ms.toFixed(1)} ms${refused}`;
}
