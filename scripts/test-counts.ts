import { stripVTControlCharacters } from "node:util";

/** What a run of `npm test` printed, summed over its packages. */
export interface TestCounts {
  readonly packages: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly todo: number;
  /**
   * What the run says that it leaves out, as "redis-server is not installed: tests on Redis are left out"; each once.
   */
  readonly leftOut: readonly string[];
  /** Test files that failed before their tests were known, and so are in no count. */
  readonly unread: readonly string[];
  /** The tests that failed, as "@rialto/order test/a.test.ts > an order > is placed". */
  readonly failures: readonly string[];
}

/** Sums the counts that Vitest printed for each package, as Turborepo passes its lines on. */
export function testCountsOf(output: string): TestCounts {
  const sums = { passed: 0, failed: 0, skipped: 0, todo: 0 };
  const [leftOut, unread, failures] = [new Set<string>(), new Set<string>(), new Set<string>()];
  let packages = 0;
  for (const line of stripVTControlCharacters(output).split("\n")) {
    const note = /^\S+:test(?::\w+)?: ([^✓×❯]*\b(?:Left out:|are left out\b).*)$/.exec(line)?.[1];
    if (note !== undefined) leftOut.add(note.trim());
    // "@rialto/order:test:  FAIL  test/a.test.ts [ test/a.test.ts ]"
    const suite = /^(\S+):test(?::\w+)?:\s+FAIL\s+(\S+) \[ \S+ \]$/.exec(line.trimEnd());
    if (suite !== null) unread.add(`${suite[1]} ${suite[2]}`);
    // "@rialto/order:test:  FAIL  test/a.test.ts > an order > is placed"
    const failure = /^(\S+):test(?::\w+)?:\s+FAIL\s+(\S+ > .*)$/.exec(line.trimEnd());
    if (failure !== null) failures.add(`${failure[1]} ${failure[2]}`);
    // "@rialto/order:test:       Tests  1 failed | 41 passed (42)"
    const counts = /^\S+:test(?::\w+)?:\s+Tests {2}(.*)\(\d+\)\s*$/.exec(line)?.[1];
    if (counts === undefined) continue;
    packages += 1;
    for (const [, count, kind] of counts.matchAll(/(\d+) (passed|failed|skipped|todo)/g)) {
      // The pattern lets through these four words only.
      sums[kind as keyof typeof sums] += Number(count);
    }
  }
  return { ...sums, packages, leftOut: [...leftOut], unread: [...unread], failures: [...failures] };
}
