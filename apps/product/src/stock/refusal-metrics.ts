import type { Counter, Metrics } from "@rialto/telemetry";
import type { StockOutcome } from "./state.ts";
import type { OrderDecision } from "./store.ts";

/** Counts a decision about an order where it is a reservation that was refused. */
export type CountRefusal = (decision: OrderDecision, outcome: StockOutcome) => void;

const reasons = ["OUT_OF_STOCK", "PRODUCT_NOT_FOUND", "QUANTITY_LIMIT", "RESERVATION_RELEASED"] as const;

/**
 * Creates the count of refused reservations. One that is asked for again is refused and counted again. Refusals to
 * commit or to release are none of these: their orders wait for a person.
 */
export function createRefusalCount(metrics: Metrics): CountRefusal {
  const family = metrics.counter({
    name: "rialto.stock.refused",
    unit: "{reservation}",
    description: "Reservations of stock that were refused, by reason",
  });
  const series: ReadonlyMap<string, Counter> = new Map(reasons.map((reason) => [reason, family.with({ reason })]));
  return (decision, outcome) => {
    if (decision.kind === "reserve" && outcome.kind === "REFUSED") series.get(outcome.reason)?.add();
  };
}
