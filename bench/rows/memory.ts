import { readProcesses, sumOfTrees } from "../measure/proc.ts";
import { median } from "../measure/ratio.ts";
import { rialtoService } from "../subjects/rpc.ts";
import type { Bench } from "../subjects/subject.ts";
import type { Row } from "./row.ts";

/** Resident memory of a service of Rialto over a million calls: its first and its last quarter. */
export const memoryRow: Row = {
  name: "memory",
  async figures(bench) {
    const now = await memoryOf(bench);
    if (bench.before === undefined) return [now];
    return [now, `${await memoryOf({ ...bench, root: bench.before })} (before)`];
  },
};

async function memoryOf(bench: Bench): Promise<string> {
  const subject = rialtoService("connect-json", bench);
  if (subject.missing !== undefined) return `left out, ${subject.missing} is missing`;
  const running = await subject.start(bench);
  try {
    await running.load.closed(bench.pace.warmUpSeconds);
    const megabytes: number[] = [];
    let calls = 0;
    let told = 0;
    while (calls < bench.pace.calls) {
      const { operations } = await running.load.closed(bench.pace.roundSeconds);
      if (operations === 0) throw new Error("nothing was answered");
      calls += operations;
      megabytes.push(sumOfTrees(running.counted, readProcesses()).residentBytes / 1e6);
      if (calls >= told) {
        bench.print(`  ${megabytes.at(-1)?.toFixed(0)} MB after ${calls} calls`);
        told += bench.pace.calls / 10;
      }
    }
    const quarter = Math.ceil(megabytes.length / 4);
    const first = median(megabytes.slice(0, quarter)).toFixed(0);
    const last = median(megabytes.slice(-quarter)).toFixed(0);
    return `${first} MB resident in the first quarter of ${calls} calls, ${last} MB in the last`;
  } finally {
    await running.stop();
  }
}
