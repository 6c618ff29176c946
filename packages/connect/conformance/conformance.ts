/**
 * Runs the official conformance suite against this package's server and client.
 *
 *     npm run conformance                        # cleartext
 *     npm run conformance -- --all               # TLS, the receive limits, Brotli, and through the gateway too
 *     npm run conformance -- --stock             # the official adapter and transports instead of ours
 *     npm run conformance -- --only client       # of the runs, those whose name has this
 *     npm run conformance -- --case "*"          # of the cases, those that match (the runner's own --run)
 *     npm run conformance -- --generate          # only generates gen/ out of the suite's protos
 *
 * A case that waits for a deadline or cancels at a moment is run once more where it fails, since a busy machine is
 * late; so is one whose server did not start in time. What passed only then is printed. Ends with 1 where a case
 * failed, and with 3 where the suite cannot be had.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { furtherRuns, plainRuns, type Run } from "./runs.ts";
import { getSuite, type Suite } from "./suite.ts";

const { values } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    stock: { type: "boolean", default: false },
    generate: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    case: { type: "string", multiple: true, default: [] },
  },
});

const here = import.meta.dirname;
const root = join(here, "../../..");
/** How many calls and servers of the runner go on at once. */
const parallel = 4;
const leftOutCode = 3;
/** A case whose server did not start in time, among what the runner prints. */
const notStarted = /^FAILED: (.*?):?\n\s*error reading server response: timed out/gm;
/** The suites whose cases wait for a deadline, or cancel at a moment. */
const isTimed = /^(?:Timeouts|Deadline Propagation|Client Cancellation)\//;

const cache = join(root, "node_modules/.cache/conformance");
const suite = await getSuite(cache, (line) => process.stdout.write(`${line}\n`));
if (suite === undefined) process.exit(leftOutCode);
if (values.generate) process.exit(generate(suite));

const runs = (values.all ? [...plainRuns, ...furtherRuns] : plainRuns).filter(({ name }) => name.includes(values.only));
const summaries: string[] = [];
const sum = { passed: 0, failed: 0 };
for (const run of runs) {
  const { passed, failed, knownFailures, late, seconds } = await runTwice(suite, run);
  sum.passed += passed;
  sum.failed += failed;
  const known = knownFailures === 0 ? "" : `, ${knownFailures} failed as listed`;
  summaries.push(`${run.name}: ${passed} of ${passed + failed} passed${known}, ${Math.round(seconds)} s`);
  for (const name of late) summaries.push(`  passed by itself only: ${name}`);
}
const what = values.stock ? "Conformance of the official library" : "Conformance";
process.stdout.write(`\n${what}\n${summaries.join("\n")}\n${sum.passed} cases passed, ${sum.failed} failed\n`);
if (sum.failed > 0 || sum.passed === 0) process.exitCode = 1;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Cases that failed and are listed. */
  readonly knownFailures: number;
  /** Cases that failed at first. */
  readonly late: readonly string[];
  readonly seconds: number;
}

async function runTwice(suite: Suite, run: Run): Promise<Outcome> {
  const from = performance.now();
  const first = await runOnce(suite, run, values.case);
  const seconds = () => (performance.now() - from) / 1_000;
  const repeated = first.failing.filter((name) => isTimed.test(name) || first.notStarted.has(name));
  // A runner that ended before its closing lines is not to be asked again.
  if (repeated.length === 0 || first.isCutShort) return { ...first, late: [], seconds: seconds() };
  const second = await runOnce(suite, run, repeated);
  const late = repeated.filter((name) => !second.failing.includes(name));
  if (second.isCutShort) return { ...first, late: [], seconds: seconds() };
  const counts = { passed: first.passed + late.length, failed: first.failed - late.length };
  return { ...counts, knownFailures: first.knownFailures, late, seconds: seconds() };
}

async function runOnce(suite: Suite, run: Run, cases: readonly string[]) {
  const config = join(cache, "config.yaml");
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(run.config));
  const pattern = cases.flatMap((name) => ["--run", name]);
  const path = run.program === undefined ? join(here, `${run.mode}.ts`) : join(root, run.program);
  const program = [process.execPath, path, ...(values.stock ? ["--stock"] : [])];
  const options = ["--mode", run.mode, "--conf", config, "--max-servers", `${run.serversMax ?? parallel}`];
  if (run.knownFailing !== undefined) options.push("--known-failing", `@${join(root, run.knownFailing)}`);
  for (const flaky of run.knownFlaky ?? []) options.push("--known-flaky", flaky);
  if (run.mode === "server") options.push("--parallel", `${parallel}`);
  process.stdout.write(`\n== ${run.name}\n`);
  const child = spawn(suite.program, [...options, ...pattern, "--", ...program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    process.stdout.write(chunk);
  });
  const [status] = await once(child, "close");
  return outcomeOf(output, status);
}

/** Reads the runner's closing lines. */
function outcomeOf(output: string, status: number | null) {
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(output);
  const notRun = Number(/^Another (\d+) could not be run/m.exec(output)?.[1] ?? 0);
  const knownFailures = Number(/^\(Another (\d+) failed as expected/m.exec(output)?.[1] ?? 0);
  const failing = [...output.matchAll(/^FAILED: (.*?):?$/gm)].map(([, name = ""]) => name);
  const failed = Number(counts?.[2] ?? 0) + notRun;
  const isCutShort = counts === null || notRun > 0 || (status !== 0 && failed === 0);
  return {
    passed: Number(counts?.[1] ?? 0),
    failed: isCutShort ? Math.max(failed, 1) : failed,
    knownFailures,
    failing,
    notStarted: new Set([...output.matchAll(notStarted)].map(([, name = ""]) => name)),
    isCutShort,
  };
}

function generate({ protos }: Suite): number {
  const template = join(here, "buf.gen.yaml");
  const command = ["generate", "--template", template, protos];
  const { status } = spawnSync(join(root, "node_modules/.bin/buf"), command, { cwd: root, stdio: "inherit" });
  return status ?? 1;
}
