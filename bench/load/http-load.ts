import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../tools/program.ts";
import { inFlight, type Load, type LoadResult, type Plan, planAsLua, planAsTargets } from "./plan.ts";

const script = new URL("closed-loop.lua", import.meta.url).pathname;
const timeoutSeconds = 10;
/** Connections of the open loop. */
const connectionsMax = 256;

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
            writeFileSync(targets, planAsTargets(await plan(), url, perSecond * seconds));
            const pace = [`-rate=${perSecond}/1s`, `-duration=${seconds}s`, `-timeout=${timeoutSeconds}s`];
            // Without a bound, each request that waits in a stall opens a connection of its own, 10,000 of them.
            pace.push(`-connections=${connectionsMax}`, `-max-connections=${connectionsMax}`);
            await runProgram(vegeta, ["attack", "-format=json", `-targets=${targets}`, `-output=${results}`, ...pace]);
            return parseVegeta(await runProgram(vegeta, ["report", "-type=json", results]));
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

/** Reads vegeta's report. */
export function parseVegeta(output: string): LoadResult {
  const { requests, status_codes: statuses, duration, latencies } = JSON.parse(output);
  let operations = 0;
  for (const [status, count] of Object.entries(statuses)) if (/^[23]/.test(status)) operations += Number(count);
  return {
    operations,
    failures: requests - operations,
    seconds: duration / 1e9,
    p50Ms: latencies["50th"] / 1e6,
    p99Ms: latencies["99th"] / 1e6,
  };
}
