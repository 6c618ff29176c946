import { setTimeout as sleep } from "node:timers/promises";
import { serviceNames } from "@rialto/service";
import type postgres from "postgres";

const pollMs = 500;

/** Every subscription of the system. One that is not registered would seem to want nothing. */
export const subscriptionNames = ["checkout", "order-refunds", "order-mail", "welcome-mail", "reset-mail"] as const;

/** What still moves, by what it is. All zero is rest. */
export type Moving = Readonly<Record<string, number>>;

/** Waits until nothing moves, or until it has waited long enough; the answer is what moves then, and what took how long. */
export async function waitForRest(
  sql: postgres.Sql,
  maxMs: number,
  note: (words: string) => void,
): Promise<{ readonly moving: Moving; readonly waitedMs: number }> {
  const start = Date.now();
  let told = 0;
  for (;;) {
    const moving = await readMoving(sql);
    const waitedMs = Date.now() - start;
    const rest = Object.values(moving).every((count) => count === 0);
    if (rest || waitedMs > maxMs) return { moving, waitedMs };
    if (waitedMs - told > 10_000) {
      told = waitedMs;
      note(`waiting for rest: ${describeMoving(moving)}`);
    }
    await sleep(pollMs);
  }
}

/** What moves, in words. */
export function describeMoving(moving: Moving): string {
  const parts = Object.entries(moving).filter(([, count]) => count > 0);
  return parts.length === 0 ? "nothing" : parts.map(([what, count]) => `${count} ${what}`).join(", ");
}

async function readMoving(sql: postgres.Sql): Promise<Moving> {
  const count = async (text: string) => Number((await sql.unsafe(`select count(*)::int as n from ${text}`))[0]?.n ?? 0);
  const publishers = await schemasWith(sql, "outbox");
  const subscribers = await schemasWith(sql, "inbox_pending");
  const each = async (schemas: readonly string[], of: (schema: string) => string) => {
    const counts = await Promise.all(schemas.map(async (schema) => await count(of(schema))));
    return counts.reduce((sum, one) => sum + one, 0);
  };
  return {
    "orders on their way": await count(
      `"order".orders where attention_reason is null and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null)`,
    ),
    "events not sent": await each(publishers, (s) => `"${s}".outbox where batch_id is null`),
    "deliveries not settled": await each(publishers, (s) => `"${s}".delivery where settle_time is null`),
    "batches not settled": await each(publishers, (s) => `"${s}".batch where settle_time is null`),
    "events waiting to be tried again": await each(subscribers, (s) => `"${s}".inbox_pending where state <> 'DEAD'`),
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
