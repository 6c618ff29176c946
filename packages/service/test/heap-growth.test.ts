import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const module = new URL("../src/process/heap-growth.ts", import.meta.url).href;

/** Keeps 100 MB, replaces it 15 times by what is as large, and prints the most that was used, in shares of it. */
const churn = `
  const kept = Array.from({ length: 1_000 }, () => new Array(12_500).fill(1));
  globalThis.gc();
  const aliveBytes = process.memoryUsage().heapUsed;
  let most = 0;
  for (let n = 0; n < 15_000; n += 1) {
    kept[n % 1_000] = new Array(25_000).fill(n).slice(0, 12_500 + (n % 2));
    most = Math.max(most, process.memoryUsage().heapUsed);
  }
  process.stdout.write(String(most / aliveBytes));
`;

async function mostUsed(before: string): Promise<number> {
  const script = `${before}\n${churn}`;
  // What V8 lets it grow to depends on the limit, and that on the machine.
  const flags = ["--expose-gc", "--max-old-space-size=4096", "--input-type=module"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "-e", script]);
  return Number(stdout);
}

describe("the heap of a process", () => {
  it("grows less between collections than V8 would let it", async () => {
    const bounded = await mostUsed(`import { boundHeapGrowth } from ${JSON.stringify(module)}; boundHeapGrowth();`);
    const unbounded = await mostUsed("");
    expect(bounded).toBeLessThan(unbounded * 0.75);
  });
});
