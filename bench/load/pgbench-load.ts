import { runProgram } from "../tools/program.ts";
import { inFlight, type Load, type LoadResult } from "./plan.ts";

/** Runs one script of statements again and again on 32 connections, prepared. There is no open loop. */
export function pgbenchLoad(o: {
  readonly pgbench: string;
  readonly databaseUrl: string;
  readonly script: string;
}): Load {
  return {
    async closed(seconds) {
      const args = ["-n", "-M", "prepared", "-c", `${inFlight}`, "-j", "1", "-T", `${seconds}`, "-f", o.script];
      return parsePgbench(await runProgram(o.pgbench, [...args, o.databaseUrl]));
    },
  };
}

/** Reads what pgbench printed. It has a mean latency only. */
export function parsePgbench(output: string): LoadResult {
  const figure = (pattern: RegExp) => {
    const text = pattern.exec(output)?.[1];
    if (text === undefined) throw new Error(`pgbench printed no result: ${output}`);
    return Number(text);
  };
  const operations = figure(/^number of transactions actually processed: (\d+)/m);
  const meanMs = figure(/^latency average = ([\d.]+) ms/m);
  return {
    operations,
    failures: figure(/^number of failed transactions: (\d+)/m),
    seconds: operations / figure(/^tps = ([\d.]+)/m),
    p50Ms: meanMs,
    p99Ms: meanMs,
  };
}
