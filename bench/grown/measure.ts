import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import type { Call, TurnedCall } from "./calls.ts";
import type { Plan } from "./plans.ts";

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

const explainedCalls = 5;
const idleMs = 15_000;
const warmUpCalls = 30;
const settleMs = 150;
const checkoutMsMax = 60_000;

/** A Rialto that answers, on a Postgres whose plans are read. */
export interface Subject {
  readonly url: string;
  readonly tokens: Readonly<Record<Call["who"], string>>;
  readonly sql: postgres.Sql;
  readonly plans: () => readonly Plan[];
}

/** Measures calls one after the other. What the processes poll for anyway is seen while they are idle, and left out. */
export async function measureCalls(
  subject: Subject,
  calls: readonly TurnedCall[],
  { timed, print }: { readonly timed: number; readonly print: (line: string) => void },
): Promise<readonly Cost[]> {
  const { sql, plans } = subject;
  await log(sql, "0");
  await sleep(settleMs);
  plans();
  await sleep(idleMs);
  const idle = new Set(plans().map(({ statement }) => statement));
  const indexCounts = await indexesByTable(sql);
  const explained = new Map<string, Pick<Cost, "buffers" | "indexes">>();
  for (const call of calls) {
    await repeat(call, subject, 2);
    await settled(subject, call);
    plans();
    await repeat(call, subject, explainedCalls);
    await settled(subject, call);
    const own = plans().filter(({ statement }) => !idle.has(statement));
    explained.set(call.name, costOf(own, indexCounts));
  }
  await log(sql, "-1");
  const costs: Cost[] = [];
  for (const call of calls) {
    await repeat(call, subject, Math.min(warmUpCalls, timed));
    const times = (await repeat(call, subject, timed)).toSorted((a, b) => a - b);
    await settled(subject, call);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
    const { buffers = 0, indexes = 0 } = explained.get(call.name) ?? {};
    costs.push({ call: call.name, buffers, indexes, p50Ms: at(0.5), p99Ms: at(0.99) });
    print(`  ${call.name}: ${buffers} buffers, p50 ${at(0.5).toFixed(2)} ms, p99 ${at(0.99).toFixed(2)} ms`);
  }
  return costs;
}

/** The sum over the statements that each call has, by what one execution of each touches. */
function costOf(plans: readonly Plan[], indexCounts: ReadonlyMap<string, number>) {
  let buffers = 0;
  let indexes = 0;
  for (const all of Map.groupBy(plans, ({ statement }) => statement).values()) {
    const perCall = Math.round(all.length / explainedCalls);
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

/** Makes a call so many times, and returns the milliseconds of each. Throws where it is refused. */
async function repeat({ method, paths, body, who, name }: TurnedCall, { url, tokens }: Subject, times: number) {
  const took: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const from = performance.now();
    const response = await fetch(url + (paths[n % paths.length] ?? paths[0]), {
      method,
      headers: {
        authorization: `Bearer ${tokens[who]}`,
        ...(method === "POST" ? { "content-type": "application/json", "idempotency-key": randomUUID() } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    took.push(performance.now() - from);
    if (!response.ok) throw new Error(`${name} was refused: ${response.status} ${text}`);
  }
  return took;
}

/** Waits until the log has been written, and until the checkout of placed orders is done. */
async function settled({ sql }: Subject, { places }: TurnedCall): Promise<void> {
  for (let waitedMs = 0; places === true && (await isPending(sql)); waitedMs += settleMs) {
    if (waitedMs > checkoutMsMax) throw new Error("orders are still pending");
    await sleep(settleMs);
  }
  await sleep(settleMs);
}

async function isPending(sql: postgres.Sql): Promise<boolean> {
  const rows = await sql`select 1 from "order".orders where status in ('PENDING', 'STOCK_RESERVED') limit 1`;
  return rows.length > 0;
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
