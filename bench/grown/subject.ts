import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import type { Call, TurnedCall } from "./calls.ts";
import type { Plan } from "./plans.ts";

const settleMs = 150;
const checkoutMsMax = 60_000;

/** A Rialto that answers, on a Postgres whose plans are read, and the calls that name what it has. */
export interface Subject {
  readonly url: string;
  readonly tokens: Readonly<Record<Call["who"], string>>;
  readonly sql: postgres.Sql;
  readonly plans: () => readonly Plan[];
  readonly calls: readonly TurnedCall[];
}

/** Makes a call at one of its paths, and returns its answer and how long it took. Throws where it is refused. */
export async function makeCall(
  { url, tokens }: Subject,
  { method, body, who, name }: TurnedCall,
  path: string,
): Promise<{ readonly text: string; readonly ms: number }> {
  const from = performance.now();
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${tokens[who]}`,
      ...(method === "POST" ? { "content-type": "application/json", "idempotency-key": randomUUID() } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const ms = performance.now() - from;
  if (!response.ok) throw new Error(`${name} was refused: ${response.status} ${text}`);
  return { text, ms };
}

/** Makes a call so many times, at its paths in turn from that one on, and returns the milliseconds of each. */
export async function repeatCall(subject: Subject, call: TurnedCall, times: number, first = 0): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const path = call.paths[(first + n) % call.paths.length] ?? call.paths[0];
    took.push((await makeCall(subject, call, path)).ms);
  }
  return took;
}

/** Waits until the log has been written, and until the checkout of placed orders is done. */
export async function settled({ sql }: Subject, { places }: TurnedCall): Promise<void> {
  for (let waitedMs = 0; places === true && (await isPending(sql)); waitedMs += settleMs) {
    if (waitedMs > checkoutMsMax) throw new Error("orders are still pending");
    await sleep(settleMs);
  }
  await sleep(settleMs);
}

async function isPending(sql: postgres.Sql): Promise<boolean> {
  const rows = await sql`select 1 from "order".orders where status in ('PENDING', 'STOCK_RESERVED') limit 1`;
  return rows.length > 0;
}
