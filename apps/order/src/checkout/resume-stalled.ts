import { isOutage } from "@rialto/database";
import { isUnavailable, workOrigin } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { OrderQueries } from "../order/queries.ts";
import type { Checkout } from "./advance.ts";

/** An order that is not at rest and was not touched for so long has lost its event, or the event its patience. */
const stalledAfterMs = 30_000;
const pageOrdersMax = 100;
/** In one run; the next run goes on with those that have waited longest. */
const pagesMax = 20;
const concurrencyMax = 8;

/**
 * The schedule "resume-stalled-checkouts": brings to rest what stood still. Events alone do that on every good day; this is for what
 * a crash, a dead letter or a restored backup left behind. Orders that fail keep no others waiting, however many they are: each goes behind the
 * rest as it is taken, and waits longer each time.
 */
export function resumeStalled(app: {
  readonly orders: Pick<OrderQueries, "claimStalled">;
  readonly checkout: Checkout;
  readonly log: Logger;
  now(): Date;
}): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const untouchedSince = new Date(app.now().getTime() - stalledAfterMs);
    for (let page = 0; page < pagesMax && !signal.aborted; page += 1) {
      const stalled = await app.orders.claimStalled({ untouchedSince, limit: pageOrdersMax });
      const outages = await resume(app, stalled, signal);
      // A page that meets nothing but outages means that what they need is down: more calls would not bring it up. The next run takes the next page.
      if (stalled.length < pageOrdersMax || outages === stalled.length) return;
    }
  };
}

/** Advances these orders, a few at a time, and counts those that something that is down kept from it. */
async function resume(
  { checkout, log }: { readonly checkout: Checkout; readonly log: Logger },
  stalled: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const waiting = stalled.values();
  let outages = 0;
  const worker = async () => {
    for (const id of waiting) {
      if (signal.aborted) return;
      try {
        await checkout.advance(id, { origin: workOrigin({ signal }) });
        log.info({ orderId: id }, "a stalled order came to rest");
      } catch (error) {
        const isDown = isUnavailable(error) || isOutage(error);
        if (isDown) outages += 1;
        log[isDown ? "warn" : "error"]({ err: error, orderId: id }, "a stalled order could not be brought to rest");
      }
    }
  };
  await Promise.all(Array.from({ length: concurrencyMax }, worker));
  return outages;
}
