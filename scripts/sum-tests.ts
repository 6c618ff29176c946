/**
 * Sums the counts that Vitest printed for each package and ends with one plain line.
 *
 *     npm test | tee test.log; npm run test:sum -- test.log
 *
 * A run says what it leaves out in lines such as "redis-server is not installed: tests on Redis are left out"; each is
 * repeated here, once.
 */
import { readFileSync } from "node:fs";
import { testCountsOf } from "./test-counts.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("say which file holds the output of npm test");

const { packages, passed, skipped, todo, leftOut, unread, ...counts } = testCountsOf(readFileSync(file, "utf8"));
for (const note of leftOut) process.stdout.write(`${note}\n`);
if (skipped + todo > 0) process.stdout.write(`Left out: ${skipped} skipped, ${todo} to do\n`);
for (const name of unread) process.stdout.write(`Failed before its tests were known: ${name}\n`);
if (packages === 0) process.stdout.write("No package printed a count\n");
const failed = counts.failed + unread.length;
process.stdout.write(`${passed} passed, ${failed} failed\n`);
if (packages === 0 || failed > 0) process.exitCode = 1;
