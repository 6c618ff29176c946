import { startJaeger } from "@rialto/testing/jaeger";
import { Command, Option } from "commander";
import { exporters, type FloodResult, heldMax, type ModeResult, runCollectorFaults } from "./collector-faults.ts";
import { checkOrderTraces } from "./order-traces.ts";
import type { TraceCheck } from "./trace-check.ts";

const whole = (text: string) => Number.parseInt(text, 10);
const report = (line: string) => void process.stdout.write(`${line}\n`);
/** A round's medians differ by more than this between two equal collectors, on a machine with other work. */
const slowerMin = 1.02;
/** Student's t at 97.5 % for ten rounds. */
const studentT = 2.262;

/** Checks the traces of orders in Jaeger. Returns whether they are as they should be. */
async function proveTraces(): Promise<boolean> {
  const jaeger = await startJaeger("the traces of orders in Jaeger");
  if (jaeger === undefined) return false;
  try {
    const { alone, together } = await checkOrderTraces(jaeger);
    report(`an order alone: ${textOf([alone])}`);
    report(`${together.length} orders at once: ${textOf(together)}`);
    const faults = [alone, ...together].flatMap((check) => check.faults);
    for (const fault of faults.slice(0, 20)) report(`  ${fault}`);
    report(faults.length === 0 ? "each is one whole trace" : `NOT GOOD: ${faults.length} faults`);
    return faults.length === 0;
  } finally {
    await jaeger.close();
  }
}

function textOf(checks: readonly TraceCheck[]): string {
  const range = (of: (check: TraceCheck) => number) => {
    const [least, most] = [Math.min(...checks.map(of)), Math.max(...checks.map(of))];
    return least === most ? `${least}` : `${least} to ${most}`;
  };
  return [
    `${range(({ spans }) => spans)} spans`,
    `${range(({ statements }) => statements)} of them statements`,
    `${range(({ lines }) => lines)} log lines`,
    `batches of up to ${range(({ batch }) => batch)}`,
  ].join(", ");
}

/** Compares calls under each mode of the collector. Returns whether none is slower, and memory was bounded. */
async function proveFaults(rounds: number, floodSeconds: number): Promise<boolean> {
  const { modes, flood } = await runCollectorFaults({ rounds, calls: 120, floodSeconds, report });
  const areAsFast = modes.map(reportMode).every((isAsFast) => isAsFast);
  return reportFlood(flood) && areAsFast;
}

function reportMode({ mode, calls, failed, p50Ms, p99Ms, longestMs, ratios }: ModeResult): boolean {
  const { estimate, low, high } = intervalOf(ratios);
  const isSlower = low > slowerMin;
  const ratio = `${estimate.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}) of the one that answers`;
  report(
    `collector ${mode}: ${calls} orders, ${failed} failed, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ` +
      `longest ${longestMs.toFixed(0)} ms; medians ${ratio}${isSlower ? ": SLOWER" : ""}`,
  );
  return !isSlower && failed === 0;
}

/** The geometric mean and its 95 % interval. */
function intervalOf(ratios: readonly number[]) {
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const margin = studentT * Math.sqrt(variance / logs.length);
  return { estimate: Math.exp(mean), low: Math.exp(mean - margin), high: Math.exp(mean + margin) };
}

function reportFlood({ orders, failed, seconds, filledBytes, endBytes, held }: FloodResult): boolean {
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  report(
    `a silent collector for ${seconds.toFixed(0)} s: ${orders} orders, ${failed} failed; resident memory of all six ` +
      `${mib(filledBytes)} in the middle, ${mib(endBytes)} at the end`,
  );
  let isBounded = true;
  for (const name of exporters) {
    const { spans, records } = held.get(name) ?? { spans: 0, records: 0 };
    isBounded &&= spans <= heldMax && records <= heldMax;
    report(`  ${name} held ${spans} spans and ${records} log records; at most ${heldMax} of each`);
  }
  return isBounded && failed === 0;
}

const command = new Command("traces:proof")
  .description("Checks an order's trace in Jaeger, and what a collector costs that is down, silent or answers 500")
  .addOption(new Option("--only <part>", "one of the two parts").choices(["traces", "faults"]))
  .addOption(new Option("--rounds <number>", "of the comparison").argParser(whole).default(10))
  .addOption(new Option("--flood <seconds>", "how long the silent collector is flooded").argParser(whole).default(60))
  .action(async (o: { readonly only?: "traces" | "faults"; readonly rounds: number; readonly flood: number }) => {
    const isProven =
      (o.only === "faults" || (await proveTraces())) && (o.only === "traces" || (await proveFaults(o.rounds, o.flood)));
    process.exitCode = isProven ? 0 : 1;
  });

await command.parseAsync();
