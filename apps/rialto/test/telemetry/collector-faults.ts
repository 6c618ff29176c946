import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { takePortBlock } from "../../chaos/ports.ts";
import { openRestClient } from "../rest-client.ts";
import { sixNames, sixProcesses } from "../topology.ts";
import { type Collector, type CollectorMode, type Received, startCollector } from "./collector.ts";

const modes = ["answers", "down", "silent", "500"] as const satisfies readonly CollectorMode[];
/** Customers who place one order after the other. */
const callersMax = 4;
/** Between a collector's change and the first call that counts: exports are made once a second. */
const settleMs = 2_000;
/** What one process may hold: packages/telemetry/src/tracing has the same numbers, the queue's and four exports'. */
export const heldMax = 8_192 + 4 * 512;
/** Of a flood's end: what is held is sent within this time, where nothing new comes. */
const sendMs = 10_000;

/** How calls went under one mode of the collector, over all rounds. */
export interface ModeResult {
  readonly mode: CollectorMode;
  readonly calls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** Each round's median beside that of the collector that answers, in the same round. */
  readonly ratios: readonly number[];
}

/** How much a flood left in the processes while the collector was silent. */
export interface FloodResult {
  readonly orders: number;
  readonly failed: number;
  readonly seconds: number;
  /** Resident bytes of all processes together: when the queues were full, and at the end. */
  readonly filledBytes: number;
  readonly endBytes: number;
  /** What each process sent when the collector answered again. */
  readonly held: ReadonlyMap<string, Received>;
}

export interface FaultOptions {
  readonly rounds: number;
  /** Orders of one round under one mode. */
  readonly calls: number;
  readonly floodSeconds: number;
  readonly report: (line: string) => void;
}

/**
 * Places orders in six processes that export all traces and log lines to a collector which answers, is down, is silent
 * and answers 500, in turn; then floods them while it is silent, and counts what they held when it answers again.
 */
export async function runCollectorFaults(
  o: FaultOptions,
): Promise<{ readonly modes: readonly ModeResult[]; readonly flood: FloodResult }> {
  const ports = await takePortBlock();
  const collector = await startCollector(ports.next());
  const system = await sixProcesses({
    OTEL_SDK_DISABLED: "false",
    RIALTO_KEEP_TRACES: "off",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_METRICS_EXPORTER: "none",
    RIALTO_LOG_LEVEL: "info",
    RIALTO_ARGON2_COST: "test",
    // A customer orders one product thousands of times.
    RIALTO_UNSHIPPED_QUANTITY_MAX: "0",
  });
  try {
    const client = await openRestClient(system);
    const product = await client.product({ stock: 1_000_000 });
    const tokens = await Promise.all(Array.from({ length: callersMax }, async () => (await client.customer()).token));
    const load = { url: system.url, tokens, product };
    await placeOrders(load, { calls: o.calls });
    const results = await measureModes(collector, load, o);
    const flood = await measureFlood(collector, load, system.pids, o);
    return { modes: results, flood };
  } finally {
    await system.stop();
    await collector.close();
    ports.close();
  }
}

interface OrderLoad {
  readonly url: string;
  readonly tokens: readonly string[];
  readonly product: string;
}

/** The times of the calls that were answered with 200, and how many were not. */
interface CallTimes {
  readonly ms: number[];
  failed: number;
}

async function measureModes(collector: Collector, load: OrderLoad, o: FaultOptions): Promise<readonly ModeResult[]> {
  const times = new Map(modes.map((mode) => [mode as CollectorMode, [] as CallTimes[]]));
  for (let round = 0; round < o.rounds; round += 1) {
    // Each begins a round in turn.
    for (let turn = 0; turn < modes.length; turn += 1) {
      const mode = modes[(round + turn) % modes.length] ?? "answers";
      await collector.become(mode);
      await sleep(settleMs);
      times.get(mode)?.push(await placeOrders(load, { calls: o.calls }));
    }
    const medians = modes.map((mode) => `${mode} ${percentile(times.get(mode)?.at(-1)?.ms ?? [], 0.5).toFixed(1)}`);
    o.report(`round ${round + 1}, medians in ms: ${medians.join(", ")}`);
  }
  const medianOf = (mode: CollectorMode, round: number) => percentile(times.get(mode)?.[round]?.ms ?? [], 0.5);
  return modes.map((mode) => {
    const rounds = times.get(mode) ?? [];
    const ms = rounds.flatMap((one) => one.ms);
    const failed = rounds.reduce((sum, one) => sum + one.failed, 0);
    return {
      mode,
      calls: ms.length + failed,
      failed,
      p50Ms: percentile(ms, 0.5),
      p99Ms: percentile(ms, 0.99),
      longestMs: Math.max(...ms),
      ratios: rounds.map((_, round) => medianOf(mode, round) / medianOf("answers", round)),
    };
  });
}

async function measureFlood(
  collector: Collector,
  load: OrderLoad,
  pids: readonly number[],
  { floodSeconds, report }: FaultOptions,
): Promise<FloodResult> {
  await collector.become("silent");
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1_000;
  let filledBytes = 0;
  let orders = 0;
  let failed = 0;
  while (elapsed() < floodSeconds) {
    const part = await placeOrders(load, { calls: 400 });
    orders += part.ms.length;
    failed += part.failed;
    // The queues are full long before: an order makes several spans in each process.
    if (filledBytes === 0 && elapsed() > floodSeconds / 2) filledBytes = residentBytes(pids);
  }
  const endBytes = residentBytes(pids);
  const seconds = elapsed();
  report(`flooded with ${orders} orders in ${seconds.toFixed(0)} s`);
  // What was ordered is confirmed, and makes spans until then.
  await sleep(sendMs);
  collector.take();
  await collector.become("answers");
  await sleep(sendMs);
  return { orders, failed, seconds, filledBytes, endBytes, held: collector.take() };
}

async function placeOrders({ url, tokens, product }: OrderLoad, { calls }: { calls: number }): Promise<CallTimes> {
  const times: CallTimes = { ms: [], failed: 0 };
  let left = calls;
  await Promise.all(
    tokens.map(async (token) => {
      while (left-- > 0) {
        const from = performance.now();
        const answer = await fetch(`${url}/api/orders`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            "idempotency-key": randomUUID(),
          },
          body: JSON.stringify({ items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
        });
        await answer.text();
        if (answer.ok) times.ms.push(performance.now() - from);
        else times.failed += 1;
      }
    }),
  );
  return times;
}

function residentBytes(pids: readonly number[]): number {
  const kibOf = (pid: number) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return pids.reduce((sum, pid) => sum + kibOf(pid) * 1_024, 0);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The services that exported, of which each is a process here. */
export const exporters = sixNames;
