import {
  type AuditRecord,
  claimAttempts,
  createCombinedCommit,
  type Database,
  type IdempotencyKey,
  type JsonValue,
  RowRefused,
} from "@rialto/database";
import { v7 as uuidv7 } from "uuid";
import { apply } from "./log.ts";
import { publishedOf } from "./message.ts";
import { eventOf, jsonOf, type PaymentRow, paymentOf, rowColumns, rowOf } from "./row.ts";
import type { Payment, PaymentEvent } from "./state.ts";

const uniqueViolation = "23505";
/** Pauses between two tries to finish an operation. */
const unfinishedDelayMsMin = 2_000;
const unfinishedDelayMsMax = 60_000;

/** What is to be committed: an event for a payment as it was read, and who caused it. */
export interface PaymentDecision {
  readonly before: Payment | undefined;
  readonly event: PaymentEvent;
  readonly time: Date;
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
  /** Stored with the commit, and found by `replay` from then on. */
  readonly key?: IdempotencyKey | undefined;
  readonly response?: JsonValue;
  /** What the audit log is to say of it. */
  readonly audit?: AuditRecord | undefined;
}

export type Committed =
  | { readonly kind: "COMMITTED"; readonly payment: Payment }
  /** Somebody else moved the payment: read it again and decide again. */
  | { readonly kind: "CONFLICT" }
  | { readonly kind: "REPLAY"; readonly response: JsonValue }
  | { readonly kind: "KEY_REUSED" };

export interface PaymentStore {
  commit(decision: PaymentDecision): Promise<Committed>;
  byId(id: string): Promise<Payment | undefined>;
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
  list(
    filter: PaymentFilter,
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<readonly Payment[]>;
  /**
   * Takes payments whose operation has been in flight since, to finish it: those first whose turn came first. Each is taken again only after a pause
   * that grows as long as nothing moves it.
   */
  claimUnfinished(o: { readonly untouchedSince: Date; readonly limit: number }): Promise<readonly Payment[]>;
  close(): Promise<void>;
}

/** Only what is given is filtered by. */
export interface PaymentFilter {
  readonly userId: string | undefined;
  readonly orderId: string | undefined;
  /** Only those that wait for a person. */
  readonly attention: boolean;
}

/** Opens the store: the SQL of this service. */
export function createPaymentStore(o: { readonly database: Database; readonly wakeRelay: () => void }): PaymentStore {
  const { sql } = o.database;
  const commits = createCombinedCommit({
    database: o.database,
    subjectTable: "payment",
    rowColumns,
    eventTable: "payment_event",
    audit: true,
    onCommitted: o.wakeRelay,
  });

  return {
    async commit(decision) {
      const { event, time, actor, reason, traceparent } = decision;
      const entry = { id: decision.before?.id ?? uuidv7(), time };
      const payment = apply(decision.before, event, entry);
      try {
        const outcome = await commits.commit({
          id: payment.id,
          expected: payment.version - 1,
          row: rowOf(payment),
          event: {
            id: uuidv7(),
            type: event.type,
            payload: jsonOf(event),
            actor,
            reason,
            traceparent,
            time: time.toISOString(),
          },
          message: publishedOf(payment, event),
          audit: decision.audit,
          ...(decision.key === undefined ? {} : { key: decision.key, response: decision.response ?? null }),
        });
        return outcome.kind === "COMMITTED" ? { kind: "COMMITTED", payment } : outcome;
      } catch (error) {
        // Two first requests for one order make two ids; the order's index lets one of them in.
        if (error instanceof RowRefused && error.sqlState === uniqueViolation) return { kind: "CONFLICT" };
        throw error;
      }
    },

    byId: async (id) => one(await sql<PaymentRow[]>`select * from payment where id = ${id}`),
    byOrder: async (orderId) => one(await sql<PaymentRow[]>`select * from payment where order_id = ${orderId}`),
    byOperation: async (key) =>
      one(await sql<PaymentRow[]>`select * from payment where operation is not null and operation->>'key' = ${key}`),

    async settledBy(id, operationKey) {
      const rows = await sql<{ type: string; payload: JsonValue; time: Date }[]>`
        select type, payload, time from payment_event where subject_id = ${id} order by version`;
      let payment: Payment | undefined;
      for (const row of rows) {
        const event = eventOf(row.type, row.payload);
        payment = apply(payment, event, { id, time: row.time });
        if ("key" in event && event.key === operationKey) return { payment, event };
      }
      return undefined;
    },

    async captureRefusal(id, operationKey) {
      const rows = await sql<{ code: string }[]>`
        select payload->>'code' as code from payment_event
        where subject_id = ${id} and type = 'CAPTURE_REFUSED' and payload->>'key' = ${operationKey}`;
      return rows[0]?.code;
    },

    async list({ userId, orderId, attention }, { limit, after }) {
      const rows = await sql<PaymentRow[]>`
        select * from payment
        where true
          ${userId === undefined ? sql`` : sql`and user_id = ${userId}`}
          ${orderId === undefined ? sql`` : sql`and order_id = ${orderId}`}
          ${attention ? sql`and attention_reason is not null` : sql``}
          ${after === undefined ? sql`` : sql`and id < ${after}`}
        order by id desc limit ${limit}`;
      return rows.map(paymentOf);
    },

    async claimUnfinished(o) {
      const rows = await claimAttempts<PaymentRow>(sql, {
        ...o,
        table: "payment",
        // The predicate of the index payment_unfinished.
        among: sql`operation is not null`,
        delayMsMin: unfinishedDelayMsMin,
        delayMsMax: unfinishedDelayMsMax,
      });
      return rows.map(paymentOf);
    },

    close: () => commits.close(),
  };
}

function one(rows: readonly PaymentRow[]): Payment | undefined {
  const [row] = rows;
  return row && paymentOf(row);
}
