import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { check } from "./checker.ts";
import { drive, openShop, replay } from "./customers.ts";
import { gatherEvidence } from "./evidence.ts";
import { createFaultInjector } from "./faults.ts";
import { describeMoving, waitForRest } from "./rest.ts";
import { type FaultCounts, planFaults } from "./seed/fault-plan.ts";
import { tellStory } from "./story.ts";
import { type JobsBackend, startSystem } from "./system.ts";
import { createTimeLine } from "./time-line.ts";

const storiesMax = 3;
const violationsShownMax = 12;
const replaysMax = 100;
/** Between the last request and the look for rest: what a request has started is in the tables by then. */
const settleMs = 1_000;

export interface RunOptions extends FaultCounts {
  readonly seed: number;
  readonly orders: number;
  readonly rate: number;
  readonly jobs: JobsBackend;
  readonly env: NodeJS.ProcessEnv;
  /** How long everything may take to come to rest when the faults are over. */
  readonly restSeconds: number;
  /** Leaves logs and data behind, to look into. */
  readonly keep: boolean;
  /** The tree that runs has a seeded bug, which crashes at its named point. */
  readonly mayCrash: boolean;
  readonly tell: (line: string) => void;
}

/** One run: start, drive, kill, let it come to rest, check, report. Answers whether everything held. */
export async function runChaos(o: RunOptions): Promise<boolean> {
  const { tell } = o;
  tell(
    `seed ${o.seed}: ${o.orders} orders, ${o.kills} kills, ${o.freezes} freezes, ${o.drops} dropped lines, ${o.flushes} flushes, ${o.readOnlys} times read-only, ${o.moves} moves, ${o.cuts} cuts of all, jobs on ${o.jobs}`,
  );
  const begun = Date.now();
  const system = await startSystem(o);
  let held = false;
  // Ctrl-C ends what was started here too: a Postgres and a dozen processes that would live on.
  const interrupt = () => void system.stop({ keep: o.keep }).finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, interrupt);
  const sql = postgres(system.postgres.url, { max: 4, types: { bigint: postgres.BigInt }, onnotice: () => undefined });
  try {
    const shop = await openShop(system, o.seed);
    const timeLine = createTimeLine(tell);
    timeLine.note(`the shop is open after ${((Date.now() - begun) / 1_000).toFixed(0)} s: ${system.folder}`);
    const plan = planFaults(o.seed, o.orders, o, o.jobs === "redis");
    const faults = createFaultInjector({ plan, system, timeLine });
    await drive(shop, { seed: o.seed, orders: o.orders, rate: o.rate, faults });
    timeLine.note("the customers are done");
    await faults.over();
    timeLine.note("the faults are over");
    const replays = await replay(shop, { seed: o.seed, orders: o.orders, count: Math.min(replaysMax, o.orders) });
    timeLine.note(`${replays} orders were sent again with their keys`);
    await sleep(settleMs);
    const rest = await waitForRest(sql, o.restSeconds * 1_000, timeLine.note);
    timeLine.note(`at rest: ${describeMoving(rest.moving)} moves`);

    const evidence = await gatherEvidence(sql, { system, told: shop.told, faults: timeLine.faults });
    const kills = [...faults.killed()].map(([target, count]) => `${count} ${target}`).join(", ");
    tell(`killed: ${kills === "" ? "nothing" : kills}; ${timeLine.secondsSoFar().toFixed(0)} s`);
    const results = check(evidence, rest);
    for (const { name, figures, violations } of results) {
      tell(`${violations.length === 0 ? "ok    " : "FAILED"} ${name.padEnd(12)} ${figures}`);
      for (const { order, words } of violations.slice(0, violationsShownMax)) tell(`         ${order ?? ""} ${words}`);
      if (violations.length > violationsShownMax)
        tell(`         ... and ${violations.length - violationsShownMax} more`);
    }
    const broken = results.flatMap(({ violations }) => violations);
    const orders = new Set(broken.flatMap(({ order }) => (order === undefined ? [] : [order])));
    for (const order of [...orders].slice(0, storiesMax)) tell(`\n${tellStory(evidence, order)}`);
    held = broken.length === 0;
    if (!held) tell(`\nseed ${o.seed} FAILED; logs are in ${system.folder}/logs`);
    return held;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeListener(signal, interrupt);
    await sql.end({ timeout: 1 });
    await system.stop({ keep: o.keep || !held });
  }
}
