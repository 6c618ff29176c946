import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readProcesses, sumOfTrees } from "../measure/proc.ts";
import { median } from "../measure/ratio.ts";
import { freePort } from "../subjects/child.ts";
import { startRialto } from "../subjects/rialto.ts";
import type { Bench } from "../subjects/subject.ts";
import type { Row } from "./row.ts";

/** From `npm start` to ready, with a data folder that is new and one that is not; the memory of the process. */
export const coldStartRow: Row = {
  name: "cold-start",
  async figures(bench) {
    const now = await startsOf(bench.root, bench);
    if (bench.before === undefined) return [now];
    return [now, `${await startsOf(bench.before, bench)} (before)`];
  },
};

async function startsOf(root: string, { pace, print }: Bench): Promise<string> {
  const fresh: number[] = [];
  const warm: number[] = [];
  const residentBytes: number[] = [];
  const folders: string[] = [];
  try {
    for (let start = 0; start < pace.starts; start += 1) {
      const folder = mkdtempSync(join(tmpdir(), "rialto-bench-start-"));
      folders.push(folder);
      // Postgres runs as another user under root, and must be able to enter the folder.
      chmodSync(folder, 0o755);
      for (const times of [fresh, warm]) {
        const rialto = await startRialto({ root, port: await freePort(), folder });
        times.push(rialto.readyMs);
        const own = readProcesses().filter(({ pid }) => pid === rialto.pid);
        residentBytes.push(sumOfTrees([rialto.pid], own).residentBytes);
        await rialto.stop();
      }
      print(`  ready after ${fresh.at(-1)?.toFixed(0)} ms fresh, ${warm.at(-1)?.toFixed(0)} ms warm`);
    }
  } finally {
    // Not between the starts: ext4 does not give out the inodes of files that were removed in the last minute, and
    // looking for others took half a second of the next start.
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
  const seconds = (times: readonly number[]) => (median(times) / 1_000).toFixed(2);
  const megabytes = Math.round(median(residentBytes) / 1e6);
  return `${seconds(fresh)} s to ready with a new data folder, ${seconds(warm)} s with one that is there, ${megabytes} MB resident (medians of ${pace.starts})`;
}
