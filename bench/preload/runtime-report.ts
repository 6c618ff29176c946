/**
 * Loaded before a Node process under test: reports how late its event loop was, and its longest GC pause.
 *
 *     NODE_OPTIONS="--import=.../runtime-report.ts" BENCH_REPORTS=folder node server.js
 *
 * Leaves `PID.pid` in the folder, so that the bench knows which processes it may signal. At SIGUSR2 writes `PID.json`
 * and begins anew. Both sides of a pair carry it, so that its price is on both.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const folder = process.env.BENCH_REPORTS;
if (folder !== undefined && isMainThread) observe(folder);

function observe(folder: string): void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let gcPauseMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcPauseMs = Math.max(gcPauseMs, duration);
  }).observe({ entryTypes: ["gc"] });
  const file = join(folder, `${process.pid}`);
  process.on("SIGUSR2", () => {
    writeFileSync(`${file}.part`, JSON.stringify({ loopDelayMs: delay.percentile(99) / 1e6, gcPauseMs }));
    renameSync(`${file}.part`, `${file}.json`);
    delay.reset();
    gcPauseMs = 0;
  });
  writeFileSync(`${file}.pid`, "");
}
