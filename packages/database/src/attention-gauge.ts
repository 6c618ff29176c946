import { addSharedGauge, cachedFor, type Metrics, sharedReadingMsMax } from "@rialto/telemetry";
import type { Sql } from "./connection/connection.ts";

/** Counts no further. Where so many wait for a person, something else is wrong. */
const countedMax = 10_000;

/** Adds the gauge of the subjects of one table that wait for a person. The table has an index on them. */
export function addAttentionGauge(
  metrics: Metrics,
  { sql, table, reasons }: { readonly sql: Sql; readonly table: string; readonly reasons: readonly string[] },
): void {
  const read = cachedFor(sharedReadingMsMax, async () => {
    const rows = await sql<{ reason: string; count: number }[]>`
      select attention_reason as reason, count(*)::int as count
      from (select attention_reason from ${sql(table)} where attention_reason is not null limit ${countedMax}) waiting
      group by 1`;
    return new Map(rows.map(({ reason, count }) => [reason, count]));
  });
  addSharedGauge(
    metrics,
    {
      name: "rialto.attention",
      unit: "{subject}",
      description: "Orders or payments that wait for a person, by reason",
    },
    async () => {
      const counts = await read();
      return reasons.map((reason) => ({ labels: { reason }, value: counts.get(reason) ?? 0 }));
    },
  );
}
