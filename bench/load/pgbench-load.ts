import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../tools/program.ts";
import { inFlight, type Load, type LoadResult } from "./plan.ts";

/** Runs one script of statements again and again on 32 connections, prepared. */
export function pgbenchLoad(o: {
  readonly pgbench: string;
  readonly databaseUrl: string;
  readonly script: string;
}): Load {
  const run = (seconds: number, more: readonly string[] = []) =>
    runProgram(o.pgbench, [
      ...["-n", "-M", "prepared", "-c", `${inFlight}`, "-j", "1", "-T", `${Math.ceil(seconds)}`, "-f", o.script],
      ...more,
      o.databaseUrl,
    ]);
  return {
    closed: async (seconds) => parsePgbench(await run(seconds)),
    async open(perSecond, seconds) {
      const folder = mkdtempSync(join(tmpdir(), "rialto-pgbench-"));
      try {
        const found = parsePgbench(await run(seconds, [`--rate=${perSecond}`, "-l", `--log-prefix=${folder}/log`]));
        const logs = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
        return { ...found, ...percentilesOf(logs.join("")) };
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

/**
 * Reads pgbench's log of an open loop, a transaction a line. Its third figure is the time since the transaction was
 * due, in microseconds.
 */
export function percentilesOf(log: string): Pick<LoadResult, "p50Ms" | "p99Ms"> {
  const ms = log
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ")[2]) / 1_000)
    .sort((a, b) => a - b);
  return {
    p50Ms: ms[Math.floor(ms.length * 0.5)] ?? Number.NaN,
    p99Ms: ms[Math.floor(ms.length * 0.99)] ?? Number.NaN,
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
