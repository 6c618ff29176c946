import { toJson } from "@bufbuild/protobuf";
import { OrderEventSchema } from "@rialto/contracts";
import {
  type AuditRecord,
  createCombinedCommit,
  type Database,
  type Decision,
  type IdempotencyKey,
  type JsonValue,
  KeyReused,
} from "@rialto/database";
import { v7 as uuid } from "uuid";
import { eventToJson } from "./json.ts";
import { orderEventMessage, topicOf } from "./message.ts";
import { createOrderQueries, type OrderQueries } from "./queries.ts";
import { rowColumns, rowOf } from "./row.ts";
import { apply, type Order, type OrderEvent } from "./state.ts";

/** The event that a decision answers: its inbox row is committed with it. */
export interface InboxEntry {
  readonly subscription: string;
  readonly eventId: string;
}

/** A decision about one order, ready to be committed. */
export interface Change {
  readonly orderId: string;
  /** The order that it was decided on; undefined for a new one. */
  readonly before: Order | undefined;
  readonly event: OrderEvent;
  readonly time: Date;
  /** Who did it and why, for the history. */
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
  readonly key?: IdempotencyKey | undefined;
  /** The answer that is kept with the key. */
  readonly response?: ((after: Order) => JsonValue) | undefined;
  readonly inbox?: InboxEntry | undefined;
  /** What the audit log is to say of it. */
  readonly audit?: ((after: Order) => AuditRecord | undefined) | undefined;
}

/** What became of a change. After CONFLICT somebody else was faster: read again and decide anew. */
export type Committed =
  | { readonly kind: "COMMITTED"; readonly order: Order }
  | { readonly kind: "REPLAY"; readonly response: JsonValue }
  | { readonly kind: "CONFLICT" };

/** Where orders are kept: what is decided goes in through `commit`, and nothing else writes. */
export interface OrderStore extends OrderQueries {
  /** Commits a decision together with whatever else is decided in the same moment. Throws KeyReused. */
  commit(change: Change, o?: { readonly signal?: AbortSignal }): Promise<Committed>;
  close(): Promise<void>;
}

/** Opens the order store on the service's own schema. `onCommitted` is told that there is something to relay. */
export function createOrderStore(o: { readonly database: Database; readonly onCommitted: () => void }): OrderStore {
  const combined = createCombinedCommit({
    database: o.database,
    subjectTable: "orders",
    rowColumns,
    eventTable: "order_event",
    audit: true,
    onCommitted: o.onCommitted,
  });
  return {
    ...createOrderQueries(o.database),
    async commit(change, options) {
      const { decision, order } = decisionOf(change);
      const outcome = await combined.commit(decision, options);
      switch (outcome.kind) {
        case "COMMITTED":
          return { kind: "COMMITTED", order };
        case "REPLAY":
          return { kind: "REPLAY", response: outcome.response };
        case "KEY_REUSED":
          throw new KeyReused();
        case "CONFLICT":
          return { kind: "CONFLICT" };
      }
    },
    close: () => combined.close(),
  };
}

/** The change as the combined commit takes it: the row after the event, the event for the log, and what is published of it. */
function decisionOf(change: Change): { decision: Decision; order: Order } {
  const { orderId, before, event, time, actor, reason, traceparent, key, response, inbox, audit } = change;
  const expected = before?.version ?? 0;
  const order = apply(before, { orderId, version: expected + 1, time, event });
  const decision: Decision = {
    id: orderId,
    expected,
    row: rowOf(order),
    event: {
      id: uuid(),
      type: event.kind,
      payload: eventToJson(event),
      actor,
      reason,
      traceparent,
      time: time.toISOString(),
    },
    message: {
      topic: topicOf(event.kind),
      payload: toJson(OrderEventSchema, orderEventMessage(order, event.kind)),
    },
    ...(key && { key }),
    ...(key && response && { response: response(order) }),
    ...(inbox && { inbox }),
    ...(audit && { audit: audit(order) }),
  };
  return { decision, order };
}
