import {
  type Change,
  type Committed,
  createEventStore,
  createStoredAnswers,
  type Database,
  type EventStore,
  type StoredAnswers,
} from "@rialto/database";
import { apply, type OrderEvent } from "./events.ts";
import { eventToJson } from "./json.ts";
import { orderEventMessage } from "./message.ts";
import { createOrderQueries, type OrderQueries } from "./queries.ts";
import { rowColumns, rowOf } from "./row.ts";
import type { Order } from "./state.ts";

export type OrderChange = Change<Order, OrderEvent>;
export type OrderCommitted = Committed<Order>;

/** Where orders are stored: `commit` is the only way to change one. */
export interface OrderStore extends OrderQueries, EventStore<Order, OrderEvent> {
  /** The answers that are stored with keys: what a commit would answer REPLAY. */
  readonly answers: StoredAnswers;
}

/** Opens the order store on the service's own schema. `onCommitted` is called with the topics to relay at once. */
export function createOrderStore(o: {
  readonly database: Database;
  readonly onCommitted: (topics: readonly string[]) => void;
}): OrderStore {
  const mapping = {
    subjectTable: "orders",
    rowColumns,
    eventTable: "order_event",
    apply,
    rowOf,
    eventToJson,
    messageOf: orderEventMessage,
  };
  return {
    ...createOrderQueries(o.database),
    ...createEventStore<Order, OrderEvent>(mapping, o),
    answers: createStoredAnswers(o.database),
  };
}
