import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import { orderRequest } from "../load/shop-load.ts";
import { tableSizes } from "../measure/table-sizes.ts";
import type { Shop } from "../subjects/shop.ts";
import { isSteady, type Minute, minuteText, perOrderText } from "./minutes.ts";

const minuteMs = 60_000;
/** Requests that are not answered yet. What would be more is not sent, and counted as failed. */
const inFlightMax = 500;

/**
 * Places orders at the rate, in an open loop, and prints a line a minute. Returns whether the tables that are swept
 * stood still after the first third, in which their retention passes.
 */
export async function runSoak(o: {
  readonly shop: Shop;
  readonly sql: postgres.Sql;
  readonly minutes: number;
  /** Orders a second. */
  readonly rate: number;
  readonly print: (line: string) => void;
}): Promise<boolean> {
  const { shop, sql, rate, print } = o;
  const load = startLoad(shop, rate);
  const minutes: Minute[] = [];
  try {
    let before = { ...(await countsOf(o)), wal: await walPosition(sql) };
    for (let minute = 1; minute <= o.minutes; minute += 1) {
      await sleep(minuteMs);
      const { times, failed } = load.take();
      const now = { ...(await countsOf(o)), wal: await walPosition(sql) };
      const tables = await tableSizes(sql);
      const line = {
        minute,
        confirmed: now.confirmed - before.confirmed,
        failed,
        ...percentiles(times),
        walBytes: now.wal - before.wal,
        tables,
      };
      minutes.push(line);
      before = now;
      print(minuteText(line));
    }
  } finally {
    await load.stop();
  }
  print(`\n${perOrderText(await tableSizes(sql), (await countsOf(o)).confirmed)}`);
  return isSteady(minutes, print);
}

/** Begins a request when it is due, however many others are not answered yet. */
function startLoad(shop: Shop, rate: number) {
  let times: number[] = [];
  let failed = 0;
  let isStopped = false;
  const inFlight = new Set<Promise<void>>();
  const place = async (index: number) => {
    const tokens = await shop.tokens();
    const { path, method, headers, body } = orderRequest(shop, index, tokens[index % tokens.length] ?? "");
    const from = performance.now();
    try {
      const response = await fetch(shop.url + path, {
        method,
        headers: { ...headers, "idempotency-key": `soak-${process.pid}-${index}` },
        body,
      });
      await response.text();
      if (response.ok) times.push(performance.now() - from);
      else failed += 1;
    } catch {
      failed += 1;
    }
  };
  const loop = (async () => {
    const from = performance.now();
    for (let index = 0; !isStopped; index += 1) {
      const due = from + (index * 1_000) / rate;
      const waitMs = due - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      if (inFlight.size >= inFlightMax) {
        failed += 1;
        continue;
      }
      const request = place(index).finally(() => inFlight.delete(request));
      inFlight.add(request);
    }
  })();
  return {
    /** What was answered since the last call. */
    take() {
      const taken = { times, failed };
      times = [];
      failed = 0;
      return taken;
    },
    async stop() {
      isStopped = true;
      await loop;
      await Promise.all(inFlight);
    },
  };
}

async function countsOf({ shop }: { readonly shop: Shop }): Promise<{ readonly confirmed: number }> {
  return { confirmed: (await shop.orders()).confirmed };
}

async function walPosition(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ bytes: number }[]>`select (pg_current_wal_lsn() - '0/0')::float8 as bytes`;
  return row?.bytes ?? 0;
}

function percentiles(times: readonly number[]) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
