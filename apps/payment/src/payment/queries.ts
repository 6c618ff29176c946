import { claimAttempts, createRowLoader, type Database, needsAttention, newestFirstBy } from "@rialto/database";
import { and, asc, eq, inArray, isNotNull, sql } from "@rialto/database/drizzle";
import { isUnfinished, payment, paymentEvent } from "../schema.ts";
import { apply, type PaymentEvent } from "./events.ts";
import { eventFromJson } from "./json.ts";
import { paymentOf } from "./row.ts";
import type { Payment } from "./state.ts";

/** Pauses between two attempts to finish an operation. */
const unfinishedDelayMsMin = 2_000;
const unfinishedDelayMsMax = 60_000;

/** Narrows a list of payments. Undefined fields do not. */
export interface PaymentFilter {
  readonly userId: string | undefined;
  readonly orderId: string | undefined;
  /** Only those that wait for a person. */
  readonly attention: boolean;
}

/** The reads of the payment store. */
export interface PaymentQueries {
  byId(id: string): Promise<Payment | undefined>;
  /** The payment of an order. Those that are asked for at the same moment are read by one statement. */
  byOrder(orderId: string): Promise<Payment | undefined>;
  /** The payment whose operation in flight has this key. */
  byOperation(key: string): Promise<Payment | undefined>;
  /** The payment as it was when the operation with this key was settled, and the event that settled it. */
  settledBy(
    id: string,
    operationKey: string,
  ): Promise<{ readonly payment: Payment; readonly event: PaymentEvent } | undefined>;
  /** The provider's code, where a capture with this key was refused. */
  captureRefusal(id: string, operationKey: string): Promise<string | undefined>;
  /** Returns payments, newest first, that come after the payment with that id. */
  list(
    filter: PaymentFilter,
    page: { readonly after: string | undefined; readonly limit: number },
  ): Promise<readonly Payment[]>;
  /**
   * Claims payments whose operation is in flight and that did not change since then. Those whose next attempt is due
   * first come first. Each claim postpones the payment's next attempt, longer each time until the payment changes.
   */
  claimUnfinished(o: { readonly untouchedSince: Date; readonly limit: number }): Promise<readonly Payment[]>;
}

/** Prepares the queries. */
export function createPaymentQueries({
  orm,
  sql: text,
  freezesShared: freezes,
}: Pick<Database, "orm" | "sql" | "freezesShared">): PaymentQueries {
  const param = sql.placeholder;
  const byId = orm
    .select()
    .from(payment)
    .where(eq(payment.id, param("id")))
    .prepare("payment_by_id");
  const byOrders = orm
    .select()
    .from(payment)
    .where(sql`${payment.orderId} = any (${param("orderIds")}::uuid[])`)
    .prepare("payments_by_order");
  const ofOrder = createRowLoader({
    read: (orderIds) => byOrders.execute({ orderIds }),
    idOf: ({ orderId }) => orderId,
    freezes,
  });
  const byOperation = orm
    .select()
    .from(payment)
    .where(and(isNotNull(payment.operation), eq(sql`${payment.operation}->>'key'`, param("key"))))
    .prepare("payment_by_operation");
  const log = orm
    .select()
    .from(paymentEvent)
    .where(eq(paymentEvent.subjectId, param("id")))
    .orderBy(asc(paymentEvent.version))
    .prepare("payment_log");
  const captureRefused: PaymentEvent["kind"] = "CAPTURE_REFUSED";
  const captureRefusal = orm
    .select({ code: sql<string>`${paymentEvent.payload}->>'code'` })
    .from(paymentEvent)
    .where(
      and(
        eq(paymentEvent.subjectId, param("id")),
        eq(paymentEvent.type, captureRefused),
        eq(sql`${paymentEvent.payload}->>'key'`, param("key")),
      ),
    )
    .prepare("payment_capture_refusal");

  return {
    byId: async (id) => first(await byId.execute({ id })),
    async byOrder(orderId) {
      const row = await ofOrder.load(orderId);
      return row && paymentOf(row);
    },
    byOperation: async (key) => first(await byOperation.execute({ key })),

    async settledBy(id, operationKey) {
      let folded: Payment | undefined;
      for (const { version, time, type, payload } of await log.execute({ id })) {
        const event = eventFromJson(type, payload);
        folded = apply(folded, { subjectId: id, version, time, event });
        if ("key" in event && event.key === operationKey) return { payment: folded, event };
      }
      return undefined;
    },

    async captureRefusal(id, operationKey) {
      const [refusal] = await captureRefusal.execute({ id, key: operationKey });
      return refusal?.code;
    },

    async list({ userId, orderId, attention }, { after, limit }) {
      // An order has one payment.
      const ofOrder = orderId === undefined ? undefined : eq(payment.orderId, orderId);
      const ofUser = userId === undefined ? [] : ([[payment.userId, userId]] as const);
      const { where, order } = newestFirstBy(orderId === undefined ? ofUser : [], payment.id, after);
      const waits = ofUser.length > 0 ? needsAttention.byUser : needsAttention.all;
      const ofBoth = orderId === undefined || userId === undefined ? undefined : eq(payment.userId, userId);
      const rows = await orm
        .select()
        .from(payment)
        .where(and(where, ofOrder, ofBoth, attention ? sql.raw(waits) : undefined))
        .orderBy(...order)
        .limit(limit);
      return rows.map(paymentOf);
    },

    async claimUnfinished(o) {
      const claimed = await claimAttempts<{ id: string; version: number }>(text, {
        ...o,
        table: "payment",
        among: text.unsafe(isUnfinished),
        delayMsMin: unfinishedDelayMsMin,
        delayMsMax: unfinishedDelayMsMax,
      });
      if (claimed.length === 0) return [];
      const versions = new Map(claimed.map(({ id, version }) => [id, version]));
      const rows = await orm
        .select()
        .from(payment)
        .where(and(inArray(payment.id, [...versions.keys()]), isNotNull(payment.operation)));
      // An operation that was begun after the claim has a caller who waits for it.
      return rows.filter(({ id, version }) => version === versions.get(id)).map(paymentOf);
    },
  };
}

function first(rows: readonly (typeof payment.$inferSelect)[]): Payment | undefined {
  const [row] = rows;
  return row && paymentOf(row);
}
