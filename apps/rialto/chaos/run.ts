import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { check } from "./checker.ts";
import { createFixture, replay, runCustomers } from "./customers.ts";
import { gatherEvidence } from "./evidence.ts";
import { createFaultLog } from "./fault-log.ts";
import { createFaultInjector } from "./faults.ts";
import { describePending, waitUntilIdle } from "./idle.ts";
import { orderReport } from "./order-report.ts";
import { type FaultCounts, planFaults } from "./seed/fault-plan.ts";
import { type JobsBackend, startSystem } from "./system.ts";

const storiesMax = 3;
const violationsShownMax = 12;
const replaysMax = 100;
/** The delay before the wait for an idle system: by then, the last requests are in the tables. */
const settleMs = 1_000;

export interface RunOptions extends FaultCounts {
  readonly seed: number;
  readonly orders: number;
  readonly rate: number;
  readonly jobs: JobsBackend;
  readonly env: NodeJS.ProcessEnv;
  /** How long the system may take to become idle after the faults. */
  readonly restSeconds: number;
  /** Keeps logs and data. */
  readonly keep: boolean;
  /** The tree has a seeded bug, which crashes a process. */
  readonly mayCrash: boolean;
  readonly report: (line: string) => void;
}

/** Runs one chaos test: system, customers, faults, idle, checks, report. Returns whether all checks passed. */
export async function runChaos(o: RunOptions): Promise<boolean> {
  const { report } = o;
  report(
    `seed ${o.seed}: ${o.orders} orders, ${o.kills} kills, ${o.freezes} freezes, ${o.drops} dropped links, ${o.flushes} flushes, ${o.readOnlys} times read-only, ${o.moves} moves, ${o.cuts} cuts of all, jobs on ${o.jobs}`,
  );
  const begun = Date.now();
  const system = await startSystem(o);
  let held = false;
  // Ctrl-C also stops what was started here: Postgres and a dozen processes.
  const interrupt = () => void system.stop({ keep: o.keep }).finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, interrupt);
  const sql = postgres(system.postgres.url, { max: 4, types: { bigint: postgres.BigInt }, onnotice: () => undefined });
  try {
    const fixture = await createFixture(system, o.seed);
    const faultLog = createFaultLog(report);
    faultLog.note(`system and accounts ready after ${((Date.now() - begun) / 1_000).toFixed(0)} s: ${system.folder}`);
    const plan = planFaults(o.seed, o.orders, o, o.jobs === "redis");
    const faults = createFaultInjector({ plan, system, faultLog });
    await runCustomers(fixture, { seed: o.seed, orders: o.orders, rate: o.rate, faults });
    faultLog.note("customers done");
    await faults.over();
    faultLog.note("faults over");
    const replays = await replay(fixture, { seed: o.seed, orders: o.orders, count: Math.min(replaysMax, o.orders) });
    faultLog.note(`${replays} orders sent again with their keys`);
    await sleep(settleMs);
    const rest = await waitUntilIdle(sql, o.restSeconds * 1_000, faultLog.note);
    faultLog.note(`pending: ${describePending(rest.pending)}`);

    const evidence = await gatherEvidence(sql, { system, record: fixture.record, faults: faultLog.faults });
    const kills = [...faults.killed()].map(([target, count]) => `${count} ${target}`).join(", ");
    report(`killed: ${kills === "" ? "nothing" : kills}; ${faultLog.secondsSoFar().toFixed(0)} s`);
    const results = check(evidence, rest);
    for (const { name, figures, violations } of results) {
      report(`${violations.length === 0 ? "ok    " : "FAILED"} ${name.padEnd(12)} ${figures}`);
      for (const { order, message } of violations.slice(0, violationsShownMax))
        report(`         ${order ?? ""} ${message}`);
      if (violations.length > violationsShownMax)
        report(`         ... and ${violations.length - violationsShownMax} more`);
    }
    const broken = results.flatMap(({ violations }) => violations);
    const orders = new Set(broken.flatMap(({ order }) => (order === undefined ? [] : [order])));
    for (const order of [...orders].slice(0, storiesMax)) report(`\n${orderReport(evidence, order)}`);
    held = broken.length === 0;
    if (!held) report(`\nseed ${o.seed} FAILED; logs are in ${system.folder}/logs`);
    return held;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeListener(signal, interrupt);
    await sql.end({ timeout: 1 });
    await system.stop({ keep: o.keep || !held });
  }
}
