/**
 * Shows that the tests hold on a machine that is busy with something else: runs `npm test -- --force` twice in a row,
 * and twice while endless loops keep every processor busy. Prints one table, and ends with 1 where a test failed or two
 * runs counted differently.
 *
 *     npm run test:twice                  # the output of each run is kept, and named at the end
 *     npm run test:twice -- --loops 4     # so many loops for each processor, instead of two
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { type TestCounts, testCountsOf } from "./test-counts.ts";

const { values } = parseArgs({ options: { loops: { type: "string", default: "2" } } });
const loopsPerProcessor = Number(values.loops);
if (!Number.isInteger(loopsPerProcessor) || loopsPerProcessor < 1)
  throw new Error("--loops takes a whole number, 1 or more");

interface Run {
  readonly name: string;
  readonly seconds: number;
  readonly counts: TestCounts;
  readonly exitCode: number | null;
}

const folder = mkdtempSync(join(tmpdir(), "rialto-test-twice-"));
const runs: Run[] = [];
for (const name of ["quiet 1", "quiet 2"]) runs.push(await run(name));
const loops = startLoops(availableParallelism() * loopsPerProcessor);
try {
  for (const name of ["busy 1", "busy 2"]) runs.push(await run(name));
} finally {
  for (const loop of loops) loop.kill("SIGKILL");
}
report(runs);

async function run(name: string): Promise<Run> {
  const log = join(folder, `${name.replace(" ", "-")}.log`);
  process.stdout.write(`${name}: npm test -- --force, output in ${log}\n`);
  const from = performance.now();
  // Turborepo keeps nothing of the shell's colors in a pipe: the lines are plain.
  const child = spawn("npm", ["test", "--", "--force"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  await pipeline(child.stdout, createWriteStream(log));
  const exitCode = await exited;
  const seconds = Math.round((performance.now() - from) / 1_000);
  return { name, seconds, counts: testCountsOf(readFileSync(log, "utf8")), exitCode };
}

/** Loops that end with this process: each looks now and then whether its parent is still there. */
function startLoops(count: number): readonly ChildProcess[] {
  const loop =
    "const parent = process.ppid; for (;;) for (let n = 0; n < 1e8; n += 1) if (n === 0 && process.ppid !== parent) process.exit();";
  process.stdout.write(`${count} endless loops on ${availableParallelism()} processors\n`);
  return Array.from({ length: count }, () => spawn(process.execPath, ["-e", loop], { stdio: "ignore" }));
}

function report(all: readonly Run[]): void {
  const rows = all.map(({ name, seconds, counts, exitCode }) => [
    ...[name, counts.packages, counts.passed, counts.failed + counts.unread.length, counts.skipped + counts.todo],
    ...[counts.leftOut.length, exitCode, seconds],
  ]);
  const head = ["run", "packages", "passed", "failed", "skipped", "notes of what is left out", "exit code", "s"];
  process.stdout.write(`\n| ${head.join(" | ")} |\n|${"---|".repeat(head.length)}\n`);
  for (const row of rows) process.stdout.write(`| ${row.join(" | ")} |\n`);
  for (const { name, counts } of all)
    for (const failure of [...counts.failures, ...counts.unread]) process.stdout.write(`${name}: ${failure}\n`);
  const kinds = new Set(rows.map((row) => row.slice(1, 6).join()));
  const allPassed = all.every(({ exitCode, counts }) => exitCode === 0 && counts.packages > 0);
  process.stdout.write(`\n${kinds.size === 1 ? "The counts are the same." : "The counts differ."} Logs: ${folder}\n`);
  if (kinds.size > 1 || !allPassed) process.exitCode = 1;
}
