import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PhasedResult, phasedLoad, type Step, stepMs } from "../load/phased-load.ts";
import { orderRequest, settled } from "../load/shop-load.ts";
import { sheddingTogether } from "../measure/shedding.ts";
import { type ShopDatabase, startShopDatabase } from "../subjects/postgres.ts";
import { openTwoOrderReplicas } from "../subjects/rialto-shop.ts";
import type { Shop } from "../subjects/shop.ts";
import type { Bench } from "../subjects/subject.ts";
import type { Row } from "./row.ts";

const quiet = { seconds: 15, perSecond: 20 };
const overload = { seconds: 40, perSecond: 600 };
/** Of the overload, until the shedding has found its share. */
const settlingSeconds = 8;

/** Two replicas of the order service, to which more orders are sent than they confirm. */
export const orderOverloadRow: Row = {
  name: "order-overload",
  async figures(bench) {
    if (bench.tools.redis === undefined) return ["left out, redis-server is missing"];
    const folder = mkdtempSync(join(tmpdir(), "rialto-bench-overload-"));
    let database: ShopDatabase | undefined;
    let shop: (Shop & { readonly gatewayUrls: readonly string[] }) | undefined;
    try {
      database = await startShopDatabase(folder);
      shop = await openTwoOrderReplicas({ bench, database, folder, reportEnv: {} });
      return await overloaded(shop, database, bench);
    } finally {
      await shop?.stop();
      await database?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function overloaded(
  shop: Shop & { readonly gatewayUrls: readonly string[] },
  { sql }: ShopDatabase,
  { pace }: Bench,
): Promise<readonly string[]> {
  const tokens = await shop.tokens();
  const scale = pace.decides ? 1 : 0.1;
  const phases = [quiet, overload, quiet].map(({ seconds, perSecond }) => ({ perSecond, seconds: seconds * scale }));
  const found = await phasedLoad({
    targets: shop.gatewayUrls,
    phases,
    next(index) {
      const order = orderRequest(shop, index, tokens[index % tokens.length] ?? "");
      return {
        ...order,
        headers: { ...order.headers, "idempotency-key": randomUUID() },
      };
    },
  });
  await settled(shop);
  const waits = await sql<{ p50: number | null; p99: number | null; max: number | null }[]>`
    select percentile_cont(0.5) within group (order by ms) as p50, percentile_cont(0.99) within group (order by ms) as p99,
      max(ms) as max
    from (
      select extract(epoch from next.time - placed.time)::float8 * 1000 as ms
      from "order".order_event as placed join "order".order_event as next on next.subject_id = placed.subject_id
      where placed.type = 'PLACED' and next.type = 'STOCK_RESERVED'
    ) as wait`;
  const [wait] = waits;
  const answered = found.steps.flat().reduce((sum, step) => sum + step.answered, 0);
  if (wait?.p50 == null || wait.p99 == null || wait.max == null)
    throw new Error(`of ${answered} orders none was begun`);
  return textsOf(found, { p50: wait.p50, p99: wait.p99, max: wait.max }, scale);
}

function textsOf(
  { steps, withoutRetryAfter, lastShedMs, unsent }: PhasedResult,
  waits: { readonly p50: number; readonly p99: number; readonly max: number },
  scale: number,
): readonly string[] {
  const stepsIn = (seconds: number) => Math.floor((seconds * scale * 1_000) / stepMs);
  const [from, to] = [stepsIn(quiet.seconds), stepsIn(quiet.seconds + overload.seconds)];
  const over = steps.map((all) => all.slice(from, to));
  const count = (all: readonly (readonly Step[])[], kind: keyof Step) =>
    all.flat().reduce((sum, step) => sum + step[kind], 0);
  const overSeconds = overload.seconds * scale;
  const { shares, correlation } = sheddingTogether(over.map((all) => all.slice(stepsIn(settlingSeconds))));
  const shareTexts = shares.map(
    ({ mean, deviation }) => `${(mean * 100).toFixed(0)} % ± ${(deviation * 100).toFixed(0)}`,
  );
  const fellMs = (quiet.seconds + overload.seconds) * scale * 1_000;
  const perSecond = (value: number) => (value / overSeconds).toFixed(0);
  return [
    `${overload.perSecond} orders/s sent to two replicas for ${overSeconds} s: ${perSecond(count(over, "answered"))}/s accepted, ${perSecond(count(over, "shed"))}/s shed (${withoutRetryAfter} without Retry-After), ${count(steps, "failed")} failed otherwise, ${unsent} not sent`,
    `waits for its first step: p50 ${waits.p50.toFixed(0)} ms, p99 ${waits.p99.toFixed(0)} ms, longest ${waits.max.toFixed(0)} ms (never 10000)`,
    `shed by each replica, in steps of ${stepMs} ms: ${shareTexts.join(" and ")}, correlation ${correlation.toFixed(2)}`,
    lastShedMs === undefined || lastShedMs < fellMs
      ? "nothing was shed after the load fell"
      : `the last order was shed ${((lastShedMs - fellMs) / 1_000).toFixed(1)} s after the load fell (wanted 5)`,
  ];
}
