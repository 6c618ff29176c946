import { setTimeout as sleep } from "node:timers/promises";
import { readSeries, type Series } from "../metric-series.ts";

/** Where the pages of a process are. */
export interface ObservedProcess {
  readonly name: string;
  readonly url: string;
  /** Of its metrics. */
  readonly metricsUrl: string;
}

/** What one process says of itself at a moment. A status of 0 is no answer. */
export interface ProcessState {
  readonly name: string;
  /** The status of `/health`. */
  readonly live: number;
  /** The status of `/ready`, and what it waits for. */
  readonly ready: number;
  readonly waiting: readonly string[];
  /** The body of `/health/services`. */
  readonly parts: Readonly<Record<string, unknown>>;
  /** None where the admin port does not answer. */
  readonly series: readonly Series[];
}

/** How orders were answered in the time up to a moment. */
export interface OrderCounts {
  readonly accepted: number;
  /** 503. */
  readonly refused: number;
  /** 504: the deadline passed before the outcome of the commit was known. */
  readonly late: number;
  /** Each answer of another status, or why there was none. */
  readonly others: readonly string[];
}

/** In "after" no orders come in any more, and what was accepted is delivered. */
export type Phase = "before" | "away" | "back" | "after";

/** What all processes say at a moment. */
export interface Moment {
  readonly phase: Phase;
  /** Since the phase began. */
  readonly second: number;
  readonly processes: readonly ProcessState[];
  readonly orders: OrderCounts;
}

/** Longer than a busy machine takes. */
const answerMsMax = 30_000;

/** Asks all processes for all of their pages. */
export async function statesOf(processes: readonly ObservedProcess[]): Promise<readonly ProcessState[]> {
  return await Promise.all(processes.map(stateOf));
}

async function stateOf({ name, url, metricsUrl }: ObservedProcess): Promise<ProcessState> {
  const [live, ready, services, series] = await Promise.all([
    page(`${url}/health`),
    page(`${url}/ready`),
    page(`${url}/health/services`),
    readSeries(metricsUrl).catch(() => []),
  ]);
  const waiting = ready.body.waiting;
  return {
    name,
    live: live.status,
    ready: ready.status,
    waiting: Array.isArray(waiting) ? waiting.map(String) : [],
    parts: services.body,
    series,
  };
}

async function page(url: string): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerMsMax) });
    const body: unknown = await answer.json();
    // Each page is one JSON object.
    return { status: answer.status, body: body as Readonly<Record<string, unknown>> };
  } catch {
    return { status: 0, body: {} };
  }
}

/** Repeats work once a second, or as often as the work lets it, until the work says that it is over. */
export async function everySecond(work: (second: number) => Promise<boolean>): Promise<void> {
  const began = performance.now();
  for (;;) {
    const from = performance.now();
    if (await work(Math.round((from - began) / 1_000))) return;
    await sleep(Math.max(0, 1_000 - (performance.now() - from)));
  }
}
