import { Command, InvalidArgumentError } from "commander";
import { oneProcess } from "../topology.ts";
import { excess, type WalkRow, walk } from "./walk.ts";

/**
 * `npm run walk`: hostile values in every field of every method, over every protocol, against a system in one process.
 * Prints the CPU time of the twenty most expensive requests. Fails if a response is a defect or an error response is
 * too large. Meaningful on a quiet machine only.
 */
const { every, runs, goal } = new Command("walk")
  .option("--every <count>", "send every n-th request only", whole, 1)
  .option("--runs <count>", "send each so many times, and take the median", whole, 3)
  .option("--goal <ms>", "the CPU time that no request should cost more than", whole, 20)
  .parse()
  .opts<{ every: number; runs: number; goal: number }>();

const worstShown = 20;
const topology = await oneProcess("postgres", { RIALTO_ARGON2_COST: "test", RIALTO_RATE_LIMIT: "0" });
const started = Date.now();
let requests = 0;
let worst: readonly WalkRow[] = [];
const wrong: string[] = [];
try {
  worst = await walk(topology, {
    every,
    runs,
    onRow(row) {
      requests += 1;
      const why = excess(row);
      const { method, way, name, status, refusal } = row;
      if (why !== undefined) wrong.push(`${why}: ${method}, ${way}, ${name}: ${status} ${refusal?.code ?? ""}`);
    },
  });
} finally {
  await topology.stop();
}

print("CPU ms | V8 threads ms | method | way | sent bytes | status | violations | answer bytes | what");
for (const { cpuMs, v8Ms, method, way, sentBytes, status, refusal, name } of worst.slice(0, worstShown)) {
  const { code = "", violations = [], bytes = 0 } = refusal ?? {};
  print(
    [
      cpuMs.toFixed(1),
      v8Ms.toFixed(1),
      method,
      way,
      sentBytes,
      `${status} ${code}`,
      violations.length,
      bytes,
      name,
    ].join(" | "),
  );
}
for (const line of wrong) print(`WRONG ${line}`);
const overGoal = worst.filter(({ cpuMs }) => cpuMs > goal).length;
const seconds = Math.round((Date.now() - started) / 1_000);
print(
  `walk: ${requests} requests in ${seconds} s; by the median of ${runs} runs ${overGoal} cost more than ${goal} ms, the worst ${worst[0]?.cpuMs.toFixed(1) ?? "-"} ms; ${wrong.length} answered wrongly`,
);
process.exitCode = wrong.length > 0 ? 1 : 0;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}
