import { setTimeout as sleep } from "node:timers/promises";
import { serviceNames } from "@rialto/service";
import type postgres from "postgres";

const pollMs = 500;

/** All subscriptions. Without this list, one that was never registered would seem to expect nothing. */
export const subscriptionNames = ["checkout", "order-refunds", "order-mail", "welcome-mail", "reset-mail"] as const;

/** Pending work, by kind. The system is idle when all counts are zero. */
export type PendingWork = Readonly<Record<string, number>>;

/** Waits until the system is idle, at most `maxMs`. Returns the work that is pending then. */
export async function waitUntilIdle(
  sql: postgres.Sql,
  maxMs: number,
  note: (message: string) => void,
): Promise<{ readonly pending: PendingWork; readonly waitedMs: number }> {
  const start = Date.now();
  let lastReportMs = 0;
  for (;;) {
    const pending = await readPending(sql);
    const waitedMs = Date.now() - start;
    const rest = Object.values(pending).every((count) => count === 0);
    if (rest || waitedMs > maxMs) return { pending, waitedMs };
    if (waitedMs - lastReportMs > 10_000) {
      lastReportMs = waitedMs;
      note(`waiting until idle: ${describePending(pending)}`);
    }
    await sleep(pollMs);
  }
}

/** Describes the pending work. */
export function describePending(pending: PendingWork): string {
  const parts = Object.entries(pending).filter(([, count]) => count > 0);
  return parts.length === 0 ? "nothing" : parts.map(([what, count]) => `${count} ${what}`).join(", ");
}

async function readPending(sql: postgres.Sql): Promise<PendingWork> {
  const count = async (text: string) => Number((await sql.unsafe(`select count(*)::int as n from ${text}`))[0]?.n ?? 0);
  const publishers = await schemasWith(sql, "outbox");
  const subscribers = await schemasWith(sql, "inbox_pending");
  const each = async (schemas: readonly string[], of: (schema: string) => string) => {
    const counts = await Promise.all(schemas.map(async (schema) => await count(of(schema))));
    return counts.reduce((sum, one) => sum + one, 0);
  };
  return {
    "orders in progress": await count(
      `"order".orders where attention_reason is null and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null)`,
    ),
    "events not sent": await each(publishers, (s) => `"${s}".outbox where batch_id is null`),
    "deliveries not settled": await each(publishers, (s) => `"${s}".delivery where settle_time is null`),
    "batches not settled": await each(publishers, (s) => `"${s}".batch where settle_time is null`),
    "events to be retried": await each(subscribers, (s) => `"${s}".inbox_pending where state <> 'DEAD'`),
    "payments in flight": await count("payment.payment where operation is not null"),
    "mails not sent": await count("notification.notification where state = 'QUEUED'"),
  };
}

/** The services' schemas that have this table. */
export async function schemasWith(sql: postgres.Sql, table: string): Promise<string[]> {
  const rows = await sql<{ schema: string }[]>`
    select table_schema as schema from information_schema.tables
    where table_name = ${table} and table_schema = any (${[...serviceNames]}) order by table_schema`;
  return rows.map(({ schema }) => schema);
}
