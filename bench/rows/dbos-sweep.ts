import { orderConfirmedLoad } from "../load/shop-load.ts";
import { measureRound } from "../measure/compare.ts";
import { cpuPerOperation } from "../measure/pairs.ts";
import { type DbosQueue, openDbosShop } from "../subjects/baseline-shop.ts";
import { shopSubject } from "../subjects/shop.ts";
import type { Bench } from "../subjects/subject.ts";
import type { Row } from "./row.ts";

/** How the rows of orders set the queue of DBOS: to be chosen by `dbos-sweep` on a quiet machine. */
export const dbosQueue: DbosQueue = { concurrency: 32, pollingMs: 50 };

const concurrencies = [8, 32, 128];
const pollingsMs = [10, 50, 200, 1_000];

/** Orders confirmed by DBOS under each setting of its queue, so that it is compared at its best. */
export const dbosSweepRow: Row = {
  name: "dbos-sweep",
  async figures(bench) {
    if (!bench.tools.baselines) return ["left out, the baselines' packages are missing"];
    const all = concurrencies.flatMap((concurrency) => pollingsMs.map((pollingMs) => ({ concurrency, pollingMs })));
    const lines: string[] = [];
    for (const queue of bench.pace.decides ? all : [dbosQueue]) {
      lines.push(await confirmedWith(queue, bench));
      bench.print(`  ${lines.at(-1)}`);
    }
    return lines;
  },
};

async function confirmedWith(queue: DbosQueue, bench: Bench): Promise<string> {
  const subject = shopSubject({
    name: "DBOS",
    open: (place) => openDbosShop(place, queue),
    load: orderConfirmedLoad,
  });
  const running = await subject.start(bench);
  try {
    await running.load.closed(bench.pace.warmUpSeconds);
    const round = await measureRound(running, bench.pace.roundSeconds);
    const perSecond = (round.operations / round.seconds).toFixed(0);
    const setting = `concurrency ${queue.concurrency}, polling ${queue.pollingMs} ms`;
    return `${setting}: ${perSecond} confirmed/s, ${cpuPerOperation(round).toFixed(0)} µs each`;
  } finally {
    await running.stop();
  }
}
