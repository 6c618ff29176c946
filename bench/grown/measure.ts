import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import type { TurnedCall } from "./calls.ts";
import { withNextPages } from "./pages.ts";
import type { Plan } from "./plans.ts";
import { repeatCall, type Subject, settled } from "./subject.ts";

/** What one call costs. */
export interface Cost {
  readonly call: string;
  /** Pages of tables and indexes that its statements touch. */
  readonly buffers: number;
  /** Searches of indexes and rows of indexes written: each may become two pages deeper. */
  readonly indexes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A call on both sizes. */
export interface Compared {
  readonly small: Cost;
  readonly large: Cost;
}

const explainedCallsMin = 5;
const idleMs = 15_000;
const warmUpCalls = 30;
const settleMs = 150;
/** Calls of one size in a row. */
const blockCalls = 10;

type Explained = Pick<Cost, "buffers" | "indexes"> & { readonly call: TurnedCall };
type Shops = { readonly small: Subject; readonly large: Subject };

/**
 * Measures all calls on both sizes. First the pages that each touches, then their times, a few calls of one size and a
 * few of the other in turn, so that what else the machine does meets both.
 */
export async function measureCalls(
  shops: Shops,
  { timed, print }: { readonly timed: number; readonly print: (line: string) => void },
): Promise<readonly Compared[]> {
  const explained = { small: await explainCalls(shops.small), large: await explainCalls(shops.large) };
  const compared: Compared[] = [];
  for (const [at, small] of explained.small.entries()) {
    const large = explained.large[at];
    if (large === undefined) throw new Error("both sizes have the same calls");
    const times = await timeInTurn(shops, { small: small.call, large: large.call }, timed);
    const cost = ({ call, buffers, indexes }: Explained, took: readonly number[]): Cost => ({
      call: call.name,
      buffers,
      indexes,
      p50Ms: quantile(took, 0.5),
      p99Ms: quantile(took, 0.99),
    });
    const both = { small: cost(small, times.small), large: cost(large, times.large) };
    compared.push(both);
    const said = ({ buffers, p50Ms, p99Ms }: Cost) => `${buffers}, ${p50Ms.toFixed(2)}, ${p99Ms.toFixed(2)}`;
    print(`  ${small.call.name}: buffers, p50 and p99 ms: ${said(both.small)}; ${said(both.large)}`);
  }
  return compared;
}

/** Explains the calls one by one. What the processes poll for anyway is seen while they are idle, and left out. */
async function explainCalls(subject: Subject): Promise<readonly Explained[]> {
  const { sql, plans } = subject;
  const calls: TurnedCall[] = [];
  for (const call of subject.calls) calls.push(await withNextPages(subject, call));
  await log(sql, "0");
  await sleep(settleMs);
  plans();
  await sleep(idleMs);
  const idle = new Set(plans().map(({ statement }) => statement));
  const indexCounts = await indexesByTable(sql);
  const explained: Explained[] = [];
  for (const call of calls) {
    const times = Math.max(explainedCallsMin, call.paths.length);
    await repeatCall(subject, call, 2);
    await settled(subject, call);
    plans();
    await repeatCall(subject, call, times);
    await settled(subject, call);
    const own = plans().filter(({ statement }) => !idle.has(statement));
    explained.push({ call, ...costOf(own, indexCounts, times) });
  }
  await log(sql, "-1");
  return explained;
}

/** Times a call so often on each size, when both are warm. */
async function timeInTurn(
  shops: Shops,
  calls: { readonly small: TurnedCall; readonly large: TurnedCall },
  timed: number,
) {
  const sizes = ["small", "large"] as const;
  const took = { small: [] as number[], large: [] as number[] };
  for (const size of sizes) await repeatCall(shops[size], calls[size], Math.min(warmUpCalls, timed));
  for (let block = 0; took.small.length < timed; block += 1) {
    const count = Math.min(blockCalls, timed - took.small.length);
    for (const size of block % 2 === 0 ? sizes : sizes.toReversed()) {
      took[size].push(...(await repeatCall(shops[size], calls[size], count, block * blockCalls)));
      if (calls[size].places === true) await settled(shops[size], calls[size]);
    }
  }
  return took;
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The sum over the statements that each call has, by what one execution of each touches. */
function costOf(plans: readonly Plan[], indexCounts: ReadonlyMap<string, number>, calls: number) {
  let buffers = 0;
  let indexes = 0;
  for (const all of Map.groupBy(plans, ({ statement }) => statement).values()) {
    const perCall = Math.round(all.length / calls);
    buffers += perCall * median(all.map((plan) => plan.buffers));
    indexes +=
      perCall *
      median(
        all.map(({ searches, written }) =>
          written.reduce((sum, table) => sum + (indexCounts.get(table) ?? 0), searches),
        ),
      );
  }
  return { buffers, indexes };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function log(sql: postgres.Sql, minDurationMs: string): Promise<void> {
  await sql.unsafe(`alter system set auto_explain.log_min_duration = ${minDurationMs}`);
  await sql`select pg_reload_conf()`;
}

async function indexesByTable(sql: postgres.Sql): Promise<ReadonlyMap<string, number>> {
  const rows = await sql<{ table: string; count: number }[]>`
    select c.relname as table, max(n.count)::int as count
    from pg_class c join (select indrelid, count(*) from pg_index group by 1) n on n.indrelid = c.oid group by 1`;
  return new Map(rows.map(({ table, count }) => [table, count]));
}
