import { inFlight } from "../load/plan.ts";
import { orderBurstLoad, orderConfirmedLoadOn, ordersOf } from "../load/shop-load.ts";
import type { Comparison } from "../measure/compare.ts";
import { measureProcessCosts, processCostsText } from "../measure/process-costs.ts";
import { ratioOf } from "../measure/ratio.ts";
import { type Sustained, sustain, sustainedText } from "../measure/sustained.ts";
import { openRialtoRedisShop, openRialtoServicesShop } from "../subjects/rialto-shop.ts";
import type { ShopLoad, ShopSubject } from "../subjects/shop.ts";
import type { Bench } from "../subjects/subject.ts";
import type { Row } from "./row.ts";
import { dbosShop, expressShop, monolithShop, oneStatement, rialtoRedisShop, rialtoShop } from "./shops.ts";

const burstSeconds = 10;
const manyConnections = 256;
const sustainedPace = { rampSeconds: 10, windowSeconds: 10, windows: 6 };
const quickPace = { rampSeconds: 1, windowSeconds: 1, windows: 2 };
/** Runs of a minute of each shop. More say little about a ratio of 4 or 8. */
const sustainedRounds = 2;
/** How long orders are placed to learn what each process costs. */
const costSeconds = 20;

/**
 * How many orders a shop takes in time, where the other rows say what one costs: in a burst, and for a minute; and what
 * an order costs with more replicas of the order service.
 */
export const orderRateRows: readonly Row[] = [
  { name: "order-burst", comparisons: burst },
  { name: "order-sustained", figures: sustained },
  { name: "order-replicas", comparisons: replicas, figures: replicaCosts },
];

function burst(bench: Bench): readonly Comparison[] {
  const at = (connections: number) => {
    const load = orderBurstLoad(connections);
    const beside = (name: string) => `${name}, ${connections} connections`;
    return {
      rialto: rialtoShop(bench, load, beside("Rialto, one process")),
      express: expressShop(bench, load, beside("Express, six processes")),
    };
  };
  const [few, many] = [at(inFlight), at(manyConnections)];
  // By time: what is accepted, whatever confirming it costs beside.
  const common = { by: "time", roundSeconds: burstSeconds } as const;
  return [
    { ...common, subject: few.rialto, baseline: oneStatement(bench), atLeast: 0.4 },
    { ...common, subject: few.rialto, baseline: few.express, atLeast: 20 },
    { ...common, subject: many.rialto, baseline: many.express, atLeast: 20 },
  ];
}

/**
 * More replicas for the load that one has, and for as much load for each: what they commit in one statement is what a
 * replica has in hand, so the first says what they lose where nothing is gained.
 */
function replicas(bench: Bench): readonly Comparison[] {
  const one = withReplicas(bench, 1, inFlight);
  return [
    ...[2, 4].map((count) => ({ subject: withReplicas(bench, count, inFlight), baseline: one, atLeast: 0.85 })),
    ...[2, 4].map((count) => ({ subject: withReplicas(bench, count, inFlight * count), baseline: one, atLeast: 0.85 })),
  ];
}

/** What an order costs in each process, with one replica of the order service and with more. */
async function replicaCosts(bench: Bench): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const count of [1, 2, 4]) {
    const subject = withReplicas(bench, count, inFlight);
    if (subject.missing !== undefined) return [`${subject.name}: left out, ${subject.missing} is missing`];
    const running = await subject.start(bench);
    try {
      await running.load.closed(bench.pace.warmUpSeconds);
      const costs = await measureProcessCosts(running, bench.pace.decides ? costSeconds : bench.pace.roundSeconds);
      lines.push(processCostsText(subject.name, costs));
    } finally {
      await running.stop();
    }
  }
  return lines;
}

function withReplicas(bench: Bench, count: number, connections: number): ShopSubject {
  return rialtoRedisShop(bench, orderConfirmedLoadOn(connections), {
    name: `Rialto, order service ${count}x, ${connections} connections`,
    open: (place) => openRialtoServicesShop(place, count),
  });
}

/** Each shop alone for a minute, in turn: two sagas on one machine would take each other's time. */
async function sustained(bench: Bench): Promise<readonly string[]> {
  const load: ShopLoad = (shop, at) => ordersOf(shop, at);
  const shops = {
    one: rialtoShop(bench, load, "Rialto, one process, jobs on Postgres"),
    oneRedis: rialtoRedisShop(bench, load, { name: "Rialto, one process, jobs on Redis", open: openRialtoRedisShop }),
    six: rialtoRedisShop(bench, load, { name: "Rialto, six processes, jobs on Redis", open: openRialtoServicesShop }),
    express: expressShop(bench, load),
    monolith: monolithShop(bench, load),
    dbos: dbosShop(bench, load),
  };
  const runs = new Map<ShopSubject, Sustained[]>();
  const lines: string[] = [];
  const rounds = bench.pace.decides ? Math.min(sustainedRounds, bench.pace.pairs) : 1;
  for (let round = 0; round < rounds; round += 1) {
    for (const shop of Object.values(shops)) {
      if (shop.missing !== undefined) {
        if (round === 0) lines.push(`${shop.name}: left out, ${shop.missing} is missing`);
        continue;
      }
      const run = await minuteOf(shop, bench);
      bench.print(`  ${sustainedText(shop.name, [run])}`);
      runs.set(shop, [...(runs.get(shop) ?? []), run]);
    }
  }
  for (const [{ name }, all] of runs) lines.push(sustainedText(name, all));
  const wanted = [
    [shops.one, shops.express, 8],
    [shops.oneRedis, shops.express, 8],
    [shops.six, shops.express, 8],
    [shops.one, shops.dbos, 4],
    [shops.one, shops.monolith, 1],
  ] as const;
  for (const [ours, theirs, atLeast] of wanted) {
    const [mine, others] = [runs.get(ours), runs.get(theirs)];
    if (mine === undefined || others === undefined) continue;
    const pairs = mine.map(
      (run, at) => [1 / run.confirmedPerSecond, 1 / (others[at] ?? run).confirmedPerSecond] as const,
    );
    lines.push(
      `${ours.name} beside ${theirs.name}: ${ratioOf(pairs).estimate.toPrecision(3)}x confirmed, wanted ${atLeast}x`,
    );
  }
  return lines;
}

async function minuteOf(subject: ShopSubject, bench: Bench): Promise<Sustained> {
  const running = await subject.start(bench);
  try {
    await running.load.closed(bench.pace.warmUpSeconds);
    return await sustain(running, running.shop, bench.pace.decides ? sustainedPace : quickPace);
  } finally {
    await running.stop();
  }
}
