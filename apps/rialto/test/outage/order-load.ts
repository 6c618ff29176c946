import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { OrderCounts } from "./moment.ts";

/** Orders that are placed at a steady pace, whatever is answered. */
export interface OrderLoad {
  /** How orders were answered since the last call. */
  take(): OrderCounts;
  /** The ids of all orders that were answered with 200. */
  readonly accepted: readonly string[];
  /** Resolves when the last one was answered. */
  stop(): Promise<void>;
}

const noCounts = () => ({ accepted: 0, refused: 0, late: 0, others: [] as string[] });

/** Calls that wait for their answer at the same time. A system that is down answers at once. */
const inFlightMax = 50;

/** Places an order each `pauseMs`, each with a key of its own, and repeats none. */
export function startOrderLoad(o: {
  readonly url: string;
  readonly token: string;
  readonly product: string;
  readonly pauseMs: number;
}): OrderLoad {
  let counts = noCounts();
  const accepted: string[] = [];
  const inFlight = new Set<Promise<void>>();
  let isOver = false;

  async function place(): Promise<void> {
    try {
      const answer = await fetch(`${o.url}/api/orders`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${o.token}`,
          "idempotency-key": randomUUID(),
        },
        body: JSON.stringify({ items: [{ productId: o.product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
      });
      const text = await answer.text();
      if (answer.status === 200) {
        accepted.push(String(JSON.parse(text).id));
        counts.accepted += 1;
      } else if (answer.status === 503) counts.refused += 1;
      else if (answer.status === 504) counts.late += 1;
      else counts.others.push(`${answer.status} ${text}`);
    } catch (error) {
      counts.others.push(String(error));
    }
  }

  const placing = (async () => {
    while (!isOver) {
      if (inFlight.size < inFlightMax) {
        const order = place().finally(() => inFlight.delete(order));
        inFlight.add(order);
      }
      await sleep(o.pauseMs);
    }
  })();
  return {
    accepted,
    take() {
      const taken = counts;
      counts = noCounts();
      return taken;
    },
    async stop() {
      isOver = true;
      await placing;
      await Promise.all(inFlight);
    },
  };
}
