import { readFileSync } from "node:fs";
import type postgres from "postgres";
import type { ClientRecord } from "./client-record.ts";
import type { Fault } from "./fault-log.ts";
import { schemasWith } from "./idle.ts";
import type { System } from "./system.ts";

/** Everything that the checks read, read once when the system is idle. */
export interface Evidence {
  readonly record: ClientRecord;
  readonly faults: readonly Fault[];
  readonly orders: ReadonlyMap<string, OrderRow>;
  /** By order, oldest first. */
  readonly orderEvents: ReadonlyMap<string, readonly EventRow[]>;
  readonly keys: readonly { readonly key: string; readonly order: string | null }[];
  readonly ledger: ReadonlyMap<string, readonly LedgerRow[]>;
  readonly payments: readonly PaymentRow[];
  readonly paymentEvents: ReadonlyMap<string, readonly EventRow[]>;
  readonly stock: readonly StockRow[];
  readonly stockChecks: readonly string[];
  readonly adjusted: ReadonlyMap<string, number>;
  readonly reservations: ReadonlyMap<string, { readonly state: string; readonly items: readonly Item[] }>;
  readonly published: readonly PublishedRow[];
  readonly registrations: readonly {
    readonly schema: string;
    readonly subscription: string;
    readonly topics: readonly string[];
  }[];
  /** Events that had their effect, by subscription. */
  readonly inbox: ReadonlyMap<string, ReadonlySet<string>>;
  readonly pending: readonly PendingRow[];
  readonly notifications: readonly NotificationRow[];
  readonly mails: System["mail"]["mails"];
  readonly serverLog: string;
  readonly unexpectedExits: readonly string[];
  /** The logs of all processes, by name. */
  logs(): ReadonlyMap<string, string>;
}

export interface PublishedRow {
  readonly schema: string;
  readonly id: string;
  readonly topic: string;
  readonly subject: string;
  /** Published before all subscriptions were registered: the admin's account. A subscription may or may not get it. */
  readonly early: boolean;
}

export interface Item {
  readonly productId: string;
  readonly quantity: number;
}

export interface OrderRow {
  readonly id: string;
  readonly version: number;
  readonly user_id: string;
  readonly status: string;
  readonly items: readonly Item[];
  readonly total: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly rejection_reason: string | null;
  readonly pending_action: string | null;
  readonly attention_reason: string | null;
  /** The idempotency key of the order, from its address. */
  readonly key: string | null;
}

export interface EventRow {
  readonly subject_id: string;
  readonly version: number;
  readonly id: string;
  readonly type: string;
  // The log's own JSON: the checks look into it by name.
  readonly payload: Readonly<Record<string, unknown>>;
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
  readonly time: Date;
}

export interface LedgerRow {
  readonly key: string;
  readonly kind: "AUTHORIZE" | "CAPTURE" | "VOID" | "REFUND";
  readonly order_reference: string;
  readonly amount: bigint;
  readonly outcome: "APPROVED" | "DECLINED";
  readonly code: string | null;
  readonly create_time: Date;
}

export interface PaymentRow {
  readonly id: string;
  readonly version: number;
  readonly order_id: string;
  readonly status: string;
  readonly amount: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

export interface StockRow {
  readonly product_id: string;
  readonly on_hand: number;
  readonly reserved: number;
  readonly received: bigint;
  readonly shipped: bigint;
}

export interface PendingRow {
  readonly subscription: string;
  readonly event_id: string;
  readonly state: string;
  readonly subject: string;
  readonly topic: string;
  readonly last_error: string | null;
}

export interface NotificationRow {
  readonly event_id: string;
  readonly order_id: string | null;
  readonly kind: string;
  readonly state: string;
  readonly message_id: string;
  readonly recipient_address: string;
}

/** Reads every schema and the card network's ledger directly, bypassing the services. */
export async function gatherEvidence(
  sql: postgres.Sql<{ bigint: bigint }>,
  o: { readonly system: System; readonly record: ClientRecord; readonly faults: readonly Fault[] },
): Promise<Evidence> {
  const { system, record, faults } = o;
  const orders = await sql<OrderRow[]>`
    select id, version, user_id, status, items, total, captured, refunded, rejection_reason, pending_action, attention_reason,
      shipping_address->>'name' as key from "order".orders`;
  const orderEvents = await sql<EventRow[]>`select * from "order".order_event order by subject_id, version`;
  const paymentEvents = await sql<EventRow[]>`select * from payment.payment_event order by subject_id, version`;
  const ledger = await sql<LedgerRow[]>`select * from card_network.entry order by create_time, key`;
  const adjusted = await sql<{ product_id: string; sum: number }[]>`
    select product_id, sum(delta)::int as sum from product.adjustment group by product_id`;
  const reservations = await sql<{ order_id: string; state: string; items: readonly Item[] }[]>`
    select order_id, state, items from product.reservation`;
  const publishers = await schemasWith(sql, "outbox");
  const subscribers = await schemasWith(sql, "inbox");
  const perSchema = async <T>(schemas: readonly string[], text: (schema: string) => string): Promise<T[]> => {
    const rows = await Promise.all(schemas.map(async (s) => await sql.unsafe(text(s))));
    // Each text names the columns of T.
    return rows.flat() as unknown as T[];
  };
  const inbox = await perSchema<{ subscription: string; id: string }>(
    subscribers,
    (s) => `select subscription, event_id as id from "${s}".inbox`,
  );
  return {
    record,
    faults,
    orders: new Map(orders.map((row) => [row.id, row])),
    orderEvents: Map.groupBy(orderEvents, (row) => row.subject_id),
    keys: await sql`
      select key, response->'order'->>'id' as order from "order".idempotency where method like '%CreateOrder'`,
    ledger: Map.groupBy(ledger, (row) => row.order_reference),
    payments: await sql<PaymentRow[]>`
      select id, version, order_id, status, amount, captured, refunded from payment.payment`,
    paymentEvents: Map.groupBy(paymentEvents, (row) => row.subject_id),
    stock: await sql<StockRow[]>`select * from product.stock`,
    stockChecks: (
      await sql<{ name: string }[]>`
        select conname as name from pg_constraint where contype = 'c' and conrelid = 'product.stock'::regclass`
    ).map(({ name }) => name),
    adjusted: new Map(adjusted.map((row) => [row.product_id, row.sum])),
    reservations: new Map(reservations.map((row) => [row.order_id, row])),
    published: await perSchema(
      publishers,
      (s) => `
        select '${s}' as schema, event_id as id, topic, subject,
          time <= coalesce((select max(create_time) from "${s}".registration), '-infinity') as early
        from "${s}".outbox`,
    ),
    registrations: await perSchema(
      publishers,
      (s) => `select '${s}' as schema, subscription, topics from "${s}".registration`,
    ),
    inbox: new Map(
      [...Map.groupBy(inbox, (row) => row.subscription)].map(([name, rows]) => [name, new Set(rows.map((r) => r.id))]),
    ),
    pending: await perSchema(
      subscribers,
      (s) => `select subscription, event_id, state, subject, topic, last_error from "${s}".inbox_pending`,
    ),
    notifications: await sql<NotificationRow[]>`
      select event_id, order_id, kind, state, message_id, recipient_address from notification.notification`,
    mails: system.mail.mails,
    serverLog: system.postgres.serverLog(),
    unexpectedExits: system.processes.flatMap(({ unexpectedExits }) => unexpectedExits),
    logs: () => new Map(system.processes.map(({ name, logPath }) => [name, readFileSync(logPath, "utf8")])),
  };
}
