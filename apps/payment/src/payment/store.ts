import { createEventStore, type Database, type EventStore, RowRefused } from "@rialto/database";
import { apply, type PaymentEvent } from "./events.ts";
import { eventToJson } from "./json.ts";
import { paymentEventMessage } from "./message.ts";
import { createPaymentQueries, type PaymentQueries } from "./queries.ts";
import { rowColumns, rowOf } from "./row.ts";
import type { Payment } from "./state.ts";

/** Where payments are stored: `commit` is the only way to change one. */
export interface PaymentStore extends PaymentQueries, EventStore<Payment, PaymentEvent> {}

const uniqueViolation = "23505";

/** Opens the payment store on the service's own schema. `onCommitted` is called with the topics to relay at once. */
export function createPaymentStore(o: {
  readonly database: Database;
  readonly onCommitted: (topics: readonly string[]) => void;
}): PaymentStore {
  const mapping = {
    subjectTable: "payment",
    rowColumns,
    eventTable: "payment_event",
    apply,
    rowOf,
    eventToJson,
    messageOf: paymentEventMessage,
  };
  const events = createEventStore<Payment, PaymentEvent>(mapping, { ...o, inbox: false });
  return {
    ...createPaymentQueries(o.database),
    async commit(change, options) {
      try {
        return await events.commit(change, options);
      } catch (error) {
        // Two first requests for one order make two ids; the order's unique index accepts one of them.
        if (error instanceof RowRefused && error.sqlState === uniqueViolation) return { kind: "CONFLICT" };
        throw error;
      }
    },
    close: () => events.close(),
  };
}
