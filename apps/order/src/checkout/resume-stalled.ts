import { forEachConcurrently } from "@rialto/async";
import { isOutage } from "@rialto/database";
import { backgroundContext, isUnavailable } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { OrderQueries } from "../order/queries.ts";
import type { Checkout } from "./advance.ts";
import type { ResumeCounts } from "./checkout-metrics.ts";

/**
 * An order that is not at rest and did not change for this long has lost its event, or its event has failed too often.
 */
const stalledAfterMs = 30_000;
const pageOrdersMax = 100;
/** In one run. The next run continues with the orders that have waited longest. */
const pagesMax = 20;
const concurrencyMax = 8;

/**
 * The schedule "resume-stalled-checkouts": resumes orders that are not at rest and that no event advances, after a
 * crash, a dead letter or a restored backup. Orders that fail do not block the others, however many they are: each
 * claim postpones the order's next attempt, longer each time.
 */
export function resumeStalled(app: {
  readonly orders: Pick<OrderQueries, "claimStalled">;
  readonly checkout: Checkout;
  readonly log: Logger;
  /** Nothing is counted without it. */
  readonly resumeCounts?: ResumeCounts | undefined;
  now(): Date;
}): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const untouchedSince = new Date(app.now().getTime() - stalledAfterMs);
    for (let page = 0; page < pagesMax && !signal.aborted; page += 1) {
      const stalled = await app.orders.claimStalled({ untouchedSince, limit: pageOrdersMax });
      const outages = await resume(app, stalled, signal);
      // Where every order of a page fails by an outage, a service is down, and more calls would not help. The next run
      // takes the next page.
      if (stalled.length < pageOrdersMax || outages === stalled.length) return;
    }
  };
}

/** Advances these orders, a few at a time. Returns how many of them failed by an outage. */
async function resume(
  { checkout, log, resumeCounts }: Pick<Parameters<typeof resumeStalled>[0], "checkout" | "log" | "resumeCounts">,
  stalled: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  let outages = 0;
  await forEachConcurrently(stalled, { max: concurrencyMax, signal }, async (id) => {
    try {
      await checkout.advance(id, { context: backgroundContext({ signal }) });
      resumeCounts?.resumed.add();
      log.info({ orderId: id }, "order resumed");
    } catch (error) {
      resumeCounts?.failed.add();
      const isDown = isUnavailable(error) || isOutage(error);
      if (isDown) outages += 1;
      log[isDown ? "warn" : "error"]({ err: error, orderId: id }, "order not resumed");
    }
  });
  return outages;
}
