/**
 * Measures Rialto beside what it is compared with, and prints one table. How: bench/README.md.
 *
 *     npm run bench -- [NAME...] [--quick] [--write] [--before PATH]
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { type Compared, type Comparison, compare } from "./measure/compare.ts";
import { openSubjects, type WarmSubjects } from "./measure/warm-subjects.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { createKeys } from "./programs/keys.ts";
import { betweenMarkers } from "./report/markers.ts";
import { type Line, tableOf } from "./report/table.ts";
import type { Row } from "./rows/row.ts";
import { rows } from "./rows/rows.ts";
import type { Bench, Pace } from "./subjects/subject.ts";
import { prepareTools } from "./tools/tools.ts";

const fullPace: Pace = {
  decides: true,
  // V8 still compiles a gateway after 14 s of load, with a seventh of what the process takes.
  warmUpSeconds: 30,
  roundSeconds: 4,
  pairs: 8,
  openLoopSeconds: 5,
  calls: 1_000_000,
  starts: 5,
};
const quickPace: Pace = {
  decides: false,
  warmUpSeconds: 1,
  roundSeconds: 1,
  pairs: 1,
  openLoopSeconds: 1,
  calls: 10_000,
  starts: 1,
};

/** Processes under test at once. */
const processesMax = 100;

const root = new URL("../", import.meta.url).pathname;
const print = (line: string) => void process.stdout.write(`${line}\n`);
const options = readOptions(
  process.argv.slice(2),
  rows.map(({ name }) => name),
);
// Each process under test ends with the bench by a listener of its own.
process.setMaxListeners(processesMax);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
if (options.isHelp) print(`${usage}\n\nRows: ${rows.map(({ name }) => name).join(", ")}`);
else await measure(options);

async function measure({ names, isQuick, writes, before, pairs }: Options): Promise<void> {
  if (process.platform !== "linux") throw new Error("the bench reads /proc, which only Linux has");
  if (before !== undefined && !existsSync(resolve(before, "node_modules")))
    throw new Error(`${before} is no checkout with its packages installed: run npm ci there`);
  const pace = { ...(isQuick ? quickPace : fullPace), ...(pairs === undefined ? {} : { pairs }) };
  const bench: Bench = {
    root,
    before: before === undefined ? undefined : resolve(before),
    tools: prepareTools(print),
    keys: createKeys(),
    pace,
    print,
  };
  const lines: Line[] = [];
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    print(`  ${text}`);
  };
  for (const row of rows) {
    if (names.length > 0 && !names.includes(row.name)) continue;
    print(row.name);
    const asked = isQuick || pairs !== undefined ? pace.pairs : (row.pairs ?? pace.pairs);
    const own = { ...bench, pace: { ...pace, pairs: asked } };
    const subjects = openSubjects(own);
    for (const comparison of row.comparisons?.(own) ?? []) {
      const compared = await measureLine(row, comparison, { bench: own, subjects, note });
      if (compared !== undefined) lines.push({ row: row.name, compared });
    }
    await subjects.stop();
    for (const figure of await figuresOf(row, bench)) note(`${row.name}: ${figure}`);
  }
  const table = [
    ...(lines.length === 0 ? [] : [tableOf(lines)]),
    ...(notes.length === 0 ? [] : [notes.map((text) => `- ${text}`).join("\n")]),
    paceText(pace, isQuick),
  ].join("\n\n");
  print(`\n${table}`);
  if (!writes) return;
  const page = new URL("../docs/performance.md", import.meta.url);
  writeFileSync(page, betweenMarkers(readFileSync(page, "utf8"), table));
}

/** A comparison that cannot be measured is left out, by the name of what is missing or of what failed. */
async function measureLine(
  row: Row,
  comparison: Comparison,
  at: { readonly bench: Bench; readonly subjects: WarmSubjects; readonly note: (text: string) => void },
): Promise<Compared | undefined> {
  const { bench, subjects, note } = at;
  const { subject, baseline } = comparison;
  const names = `${subject.name} beside ${baseline.name}`;
  const missing = subject.missing ?? baseline.missing;
  if (missing !== undefined) {
    note(`${row.name}, ${names}: left out, ${missing} is missing`);
    return undefined;
  }
  bench.print(`  ${names}`);
  try {
    return await compare(comparison, bench, subjects);
  } catch (error) {
    process.exitCode = 1;
    await subjects.stop();
    bench.print(`  ${error instanceof Error ? error.message : String(error)}`);
    note(`${row.name}, ${names}: failed`);
    return undefined;
  }
}

async function figuresOf(row: Row, bench: Bench): Promise<readonly string[]> {
  try {
    return (await row.figures?.(bench)) ?? [];
  } catch (error) {
    process.exitCode = 1;
    bench.print(`  ${error instanceof Error ? error.message : String(error)}`);
    return ["failed"];
  }
}

function paceText({ pairs, roundSeconds, warmUpSeconds }: Pace, isQuick: boolean): string {
  const [cpu] = cpus();
  const how = `${pairs} pairs of rounds of ${roundSeconds} s, ${warmUpSeconds} s of warm-up`;
  const machine = `${cpus().length} processors (${cpu?.model.trim()}), Node ${process.versions.node}`;
  return `${how}; ${machine}.${isQuick ? " Quick: shows that the rows run, decides nothing." : ""}`;
}
