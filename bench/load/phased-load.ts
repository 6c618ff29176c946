import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { PlannedRequest } from "./plan.ts";

/** A part of the load: so many requests a second, whether they are answered or not. */
export interface Phase {
  readonly seconds: number;
  readonly perSecond: number;
}

/** What one target answered to the requests that were sent in one step. */
export interface Step {
  readonly answered: number;
  /** 503. */
  readonly shed: number;
  /** Other statuses, and errors. */
  readonly failed: number;
}

/** What the whole load found. */
export interface PhasedResult {
  /** Of each target, one after the other; each step is `stepMs` long. */
  readonly steps: readonly (readonly Step[])[];
  /** Sheds without the Retry-After header. */
  readonly withoutRetryAfter: number;
  /** From the beginning to the last request that was shed, by when it was sent; undefined where none was. */
  readonly lastShedMs: number | undefined;
  /** Requests that were not sent, since too many had no answer yet. */
  readonly unsent: number;
}

export const stepMs = 500;
const tickMs = 5;
/** So many that who answers late is still sent more than it can do, and fewer than two gateways take. */
const inFlightMax = 1_600;

/** Sends requests to the targets in turn, phase after phase, and waits for the last answer. */
export async function phasedLoad(o: {
  readonly targets: readonly string[];
  readonly phases: readonly Phase[];
  readonly next: (index: number) => PlannedRequest;
}): Promise<PhasedResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlightMax });
  const steps = o.targets.map((): Step[] => []);
  const inFlight = new Set<Promise<void>>();
  let [withoutRetryAfter, unsent, sent] = [0, 0, 0];
  let lastShedMs: number | undefined;
  const start = performance.now();
  const send = async (index: number) => {
    const target = index % o.targets.length;
    const atMs = performance.now() - start;
    const answer = await answerOf(agent, o.targets[target] ?? "", o.next(index)).catch(() => undefined);
    const kind = kindOf(answer?.status);
    if (kind === "shed") {
      lastShedMs = Math.max(lastShedMs ?? 0, atMs);
      if (answer?.retryAfter === undefined) withoutRetryAfter += 1;
    }
    const [all, step] = [steps[target] ?? [], Math.floor(atMs / stepMs)];
    while (all.length <= step) all.push({ answered: 0, shed: 0, failed: 0 });
    const at = all[step];
    if (at !== undefined) all[step] = { ...at, [kind]: at[kind] + 1 };
  };
  for (const { seconds, perSecond } of o.phases) {
    const from = performance.now();
    let due = 0;
    for (let passedMs = 0; passedMs < seconds * 1_000; passedMs = performance.now() - from) {
      for (; due < (passedMs * perSecond) / 1_000; due += 1) {
        if (inFlight.size >= inFlightMax) {
          unsent += 1;
          continue;
        }
        const one = send(sent).finally(() => inFlight.delete(one));
        inFlight.add(one);
        sent += 1;
      }
      await sleep(tickMs);
    }
  }
  await Promise.all(inFlight);
  agent.destroy();
  return { steps, withoutRetryAfter, lastShedMs, unsent };
}

function kindOf(status: number | undefined): keyof Step {
  if (status === undefined) return "failed";
  if (status >= 200 && status < 300) return "answered";
  return status === 503 ? "shed" : "failed";
}

async function answerOf(agent: Agent, target: string, { method, path, headers, body }: PlannedRequest) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(target + path, { agent, method, headers }, resolve)
      .once("error", reject)
      .end(body);
  });
  for await (const _ of response);
  return { status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"] };
}
