import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../tools/program.ts";
import { inFlight, type Load, type LoadResult, type Plan, planAsLua, planAsTargets } from "./plan.ts";

const script = new URL("closed-loop.lua", import.meta.url).pathname;
const timeoutSeconds = 10;
/** Connections of the open loop. */
const connectionsMax = 256;
/** How long an open loop runs before its latencies count. */
const leadInSeconds = 1;

/**
 * Load over HTTP/1.1: the closed loop by wrk, since C takes little of the processors that are measured; the open loop
 * by vegeta, where there is one, since a closed loop waits with a server that stalls and so does not see the stall.
 */
export function httpLoad(o: {
  readonly url: string;
  readonly plan: () => Promise<Plan> | Plan;
  readonly folder: string;
  readonly vegeta: string | undefined;
  readonly connections?: number;
}): Load {
  const { url, plan, folder, vegeta } = o;
  return {
    async closed(seconds) {
      const file = join(folder, "plan.lua");
      writeFileSync(file, planAsLua(await plan()));
      const connections = o.connections ?? inFlight;
      const args = ["-t1", `-c${connections}`, `-d${seconds}s`, `--timeout=${timeoutSeconds}s`, "-s", script, url];
      return parseWrk(await runProgram("wrk", [...args, "--", file]));
    },
    ...(vegeta === undefined
      ? {}
      : {
          async open(perSecond, seconds) {
            const [targets, results] = [join(folder, "targets.json"), join(folder, "results.bin")];
            const duration = leadInSeconds + seconds;
            writeFileSync(targets, planAsTargets(await plan(), url, perSecond * duration));
            const pace = [`-rate=${perSecond}/1s`, `-duration=${duration}s`, `-timeout=${timeoutSeconds}s`];
            // Without a bound, each request that waits in a stall opens a connection of its own, 10,000 of them.
            pace.push(`-connections=${connectionsMax}`, `-max-connections=${connectionsMax}`);
            // Nobody reads the bodies: those of 20,000 pages are more than the results may be.
            pace.push("-max-body=0");
            await runProgram(vegeta, ["attack", "-format=json", `-targets=${targets}`, `-output=${results}`, ...pace]);
            return parseVegeta(await runProgram(vegeta, ["encode", "-to=csv", results]));
          },
        }),
  };
}

/** Reads what `closed-loop.lua` printed. An answer of another status than 2xx and 3xx is no operation. */
export function parseWrk(output: string): LoadResult {
  const line = /^BENCH (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result: ${output}`);
  const { requests, refused, errors, seconds, p50Ms, p99Ms } = JSON.parse(line);
  return { operations: requests - refused, failures: refused + errors, seconds, p50Ms, p99Ms };
}

/**
 * Reads vegeta's results, one a line: the time of the request and its latency, both in nanoseconds, and the status.
 * Those of the lead-in do not count: vegeta starts then and opens its connections, one for each request that finds none
 * free. That takes longer than one percent of a few seconds, so the 99th percentile would be that of the beginning, of
 * any server.
 */
export function parseVegeta(csv: string): LoadResult {
  const results = csv
    .trim()
    .split("\n")
    .map((line) => {
      const [time = Number.NaN, status = Number.NaN, latency = Number.NaN] = line.split(",", 3).map(Number);
      return { time, status, latency };
    });
  const from =
    results.reduce((first, { time }) => Math.min(first, time), Number.POSITIVE_INFINITY) + leadInSeconds * 1e9;
  const counted = results.filter(({ time }) => time >= from);
  const latencies = counted.map(({ latency }) => latency / 1e6).sort((a, b) => a - b);
  const operations = counted.filter(({ status }) => status >= 200 && status < 400).length;
  return {
    operations,
    failures: counted.length - operations,
    seconds: (counted.reduce((last, { time }) => Math.max(last, time), from) - from) / 1e9,
    p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  };
}
