import { isOutage } from "@rialto/database";
import { isUnavailable, workOrigin } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { Checkout } from "./advance-checkout.ts";
import type { OrderQueries, StalledKey } from "./order-queries.ts";

/** An order that is not at rest and was not touched for so long has lost its event, or the event its patience. */
const stalledAfterMs = 30_000;
const pageOrdersMax = 100;
/** In one run; the next run begins again with those that have waited longest. */
const pagesMax = 20;
const concurrencyMax = 8;

/**
 * The schedule "resume-stalled-checkouts": brings to rest what stood still. Events alone do that on every good day; this is for what
 * a crash, a dead letter or a restored backup left behind. One order's failure does not keep the others waiting.
 */
export function resumeStalled(app: {
  readonly orders: Pick<OrderQueries, "stalled">;
  readonly checkout: Checkout;
  readonly log: Logger;
  now(): Date;
}): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const before = new Date(app.now().getTime() - stalledAfterMs);
    let after: StalledKey | undefined;
    for (let page = 0; page < pagesMax && !signal.aborted; page += 1) {
      const stalled = await app.orders.stalled({ before, after, limit: pageOrdersMax });
      const resumed = await resume(app, stalled, signal);
      // A page of which nothing moves means that what all of them need is down: more calls would not bring it up.
      if (resumed === 0 || stalled.length < pageOrdersMax) return;
      after = stalled.at(-1);
    }
  };
}

/** Advances these orders, a few at a time, and counts those that came to rest. */
async function resume(
  { checkout, log }: { readonly checkout: Checkout; readonly log: Logger },
  stalled: readonly StalledKey[],
  signal: AbortSignal,
): Promise<number> {
  const waiting = stalled.values();
  let resumed = 0;
  const worker = async () => {
    for (const { id } of waiting) {
      if (signal.aborted) return;
      try {
        await checkout.advance(id, { origin: workOrigin({ signal }) });
        resumed += 1;
        log.info({ orderId: id }, "a stalled order came to rest");
      } catch (error) {
        const level = isUnavailable(error) || isOutage(error) ? "warn" : "error";
        log[level]({ err: error, orderId: id }, "a stalled order could not be brought to rest");
      }
    }
  };
  await Promise.all(Array.from({ length: concurrencyMax }, worker));
  return resumed;
}
