import type { Counter, Metrics } from "@rialto/telemetry";
import type { Order } from "../order/state.ts";

/** Seconds from the order to its outcome: most take less than one, and what waits for a service takes minutes. */
const boundaries = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** Statuses that end a checkout. */
const ends: ReadonlySet<Order["status"]> = new Set(["CONFIRMED", "REJECTED", "CANCELLED"]);

/** Counts a change that the checkout committed, where it ended the checkout: how, and how long after the order. */
export type CountCheckout = (before: Order, after: Order) => void;

/** Creates the count of checkouts. Each ends once, in the process whose commit ends it. */
export function createCheckoutCount(metrics: Metrics): CountCheckout {
  const family = metrics.histogram({
    name: "rialto.checkout.duration",
    unit: "s",
    description: "From the order to its end in the checkout, by outcome: confirmed, canceled, or why it was rejected",
    boundaries,
  });
  return (before, after) => {
    if (before.status === after.status || !ends.has(after.status)) return;
    const series = family.with({ outcome: after.rejectionReason ?? after.status });
    series.record((+after.updateTime - +after.createTime) / 1_000);
  };
}

/** Counts the attempts to resume stalled orders. */
export interface ResumeCounts {
  readonly resumed: Counter;
  /** It is tried again later. */
  readonly failed: Counter;
}

/** Creates the counts of the schedule that resumes stalled orders. */
export function createResumeCounts(metrics: Metrics): ResumeCounts {
  const family = metrics.counter({
    name: "rialto.orders.resumed",
    unit: "{attempt}",
    description: "Attempts to resume orders that no event advanced for 30 s, by outcome",
  });
  return { resumed: family.with({ outcome: "resumed" }), failed: family.with({ outcome: "failed" }) };
}
