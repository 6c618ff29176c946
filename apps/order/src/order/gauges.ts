import { addAttentionGauge, type Database } from "@rialto/database";
import { addSharedGauge, cachedFor, type Metrics, sharedReadingMsMax } from "@rialto/telemetry";
import { hasCheckoutWork } from "../schema.ts";
import { activeStatuses, attentionReasons } from "../statuses.ts";
import type { OrderState } from "./state.ts";

/** Counts no further: by half of the orders that may be unfinished before new ones are shed. */
const countedMax = 50_000;

/** The states in which the checkout has work. Orders in all others are at rest, and are not counted: they only grow. */
const movingStates = [...activeStatuses, "SHIPPING", "CANCELLING"] as const satisfies readonly OrderState[];

/** Adds the gauges of the orders that are not at rest, and of those that wait for a person. */
export function addOrderGauges(metrics: Metrics, { sql }: Pick<Database, "sql">): void {
  const read = cachedFor(sharedReadingMsMax, async () => {
    const rows = await sql<{ state: string; count: number }[]>`
      select case pending_action when 'SHIP' then 'SHIPPING' when 'CANCEL' then 'CANCELLING' else status end as state,
        count(*)::int as count
      from (select status, pending_action from orders where ${sql.unsafe(hasCheckoutWork)} limit ${countedMax}) moving
      group by 1`;
    return new Map(rows.map(({ state, count }) => [state, count]));
  });
  addSharedGauge(
    metrics,
    { name: "rialto.orders.unfinished", unit: "{order}", description: "Orders that have work left, by state" },
    async () => {
      const counts = await read();
      return movingStates.map((state) => ({ labels: { state }, value: counts.get(state) ?? 0 }));
    },
  );
  addAttentionGauge(metrics, { sql, table: "orders", reasons: attentionReasons });
}
