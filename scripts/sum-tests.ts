/**
 * Sums the counts that Vitest printed for each package and ends with one plain line.
 *
 *     npm test | tee test.log; npm run test:sum -- test.log
 *
 * A run says what it leaves out in lines such as "redis-server is not installed: tests on Redis are left out"; each is repeated here, once.
 */
import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("say which file holds the output of npm test");

const sums = { passed: 0, failed: 0, skipped: 0, todo: 0 };
const leftOut = new Set<string>();
const unread = new Set<string>();
let packages = 0;

for (const line of stripVTControlCharacters(readFileSync(file, "utf8")).split("\n")) {
  const note = /^\S+:test: ([^✓×❯]*\b(?:Left out:|are left out\b).*)$/.exec(line)?.[1];
  if (note !== undefined) leftOut.add(note.trim());
  // A test file that failed before its tests were known is in no count: "@rialto/order:test:  FAIL  test/a.test.ts [ test/a.test.ts ]"
  const suite = /^(\S+):test:\s+FAIL\s+(\S+) \[ \S+ \]$/.exec(line.trimEnd());
  if (suite !== null) unread.add(`${suite[1]} ${suite[2]}`);
  // "@rialto/order:test:       Tests  1 failed | 41 passed (42)"
  const counts = /^\S+:test:\s+Tests {2}(.*)\(\d+\)\s*$/.exec(line)?.[1];
  if (counts === undefined) continue;
  packages += 1;
  for (const [, count, kind] of counts.matchAll(/(\d+) (passed|failed|skipped|todo)/g)) {
    // The pattern lets through these four words only.
    sums[kind as keyof typeof sums] += Number(count);
  }
}

for (const note of leftOut) process.stdout.write(`${note}\n`);
if (sums.skipped + sums.todo > 0) process.stdout.write(`Left out: ${sums.skipped} skipped, ${sums.todo} to do\n`);
for (const name of unread) process.stdout.write(`Failed before its tests were known: ${name}\n`);
if (packages === 0) process.stdout.write("No package printed a count\n");
const failed = sums.failed + unread.size;
process.stdout.write(`${sums.passed} passed, ${failed} failed\n`);
if (packages === 0 || failed > 0) process.exitCode = 1;
