import type { EventRow, OrderRow } from "../evidence.ts";
import type { Check, Violation } from "./check.ts";

/** The event log of each order and payment folds to its row, and its versions have no gaps. */
export const logFolds: Check = ({ orders, orderEvents, payments, paymentEvents }) => {
  const violations: Violation[] = [];
  for (const row of orders.values()) {
    const events = orderEvents.get(row.id) ?? [];
    for (const message of gaps(row.version, events)) violations.push({ order: row.id, message });
    const folded = fold(events);
    for (const [column, value] of Object.entries(folded)) {
      // The fold uses the row's column names.
      const stored = row[column as keyof typeof folded];
      if (stored !== value)
        violations.push({ order: row.id, message: `its log says ${column} ${value}, its row ${stored}` });
    }
  }
  for (const id of orderEvents.keys())
    if (!orders.has(id)) violations.push({ order: id, message: "it has a log, and does not exist" });
  for (const payment of payments) {
    const events = paymentEvents.get(payment.id) ?? [];
    for (const message of gaps(payment.version, events))
      violations.push({ order: payment.order_id, message: `payment ${payment.id}: ${message}` });
    const captured = events.some(({ type }) => type === "CAPTURED") ? payment.amount : 0n;
    if (captured !== payment.captured)
      violations.push({
        order: payment.order_id,
        message: `its payment's log says captured ${captured}, the row ${payment.captured}`,
      });
  }
  const count = (logs: ReadonlyMap<string, readonly EventRow[]>) =>
    [...logs.values()].reduce((n, log) => n + log.length, 0);
  return {
    name: "logs",
    figures: `${count(orderEvents)} events fold to ${orders.size} orders, ${count(paymentEvents)} to ${payments.length} payments`,
    violations,
  };
};

function gaps(version: number, events: readonly EventRow[]): string[] {
  const versions = events.map((event) => event.version);
  const expected = Array.from({ length: version }, (_, n) => n + 1);
  return versions.join() === expected.join()
    ? []
    : [`it stands at version ${version}, and its log has ${versions.join()}`];
}

type Folded = Pick<
  OrderRow,
  "status" | "pending_action" | "attention_reason" | "rejection_reason" | "captured" | "refunded" | "total"
>;

/** An independent implementation of the fold, so that the checker does not rely on the service's own. */
function fold(events: readonly EventRow[]): Folded {
  let folded: Folded = {
    status: "PENDING",
    pending_action: null,
    attention_reason: null,
    rejection_reason: null,
    captured: 0n,
    refunded: 0n,
    total: 0n,
  };
  for (const event of events) folded = { ...folded, ...changeOf(event) };
  return folded;
}

function changeOf({ type, payload }: EventRow): Partial<Folded> {
  const amount = (name: string) => BigInt(String(payload[name] ?? 0));
  switch (type) {
    case "PLACED":
      return { total: amount("total") };
    case "STOCK_RESERVED":
    case "CONFIRMED":
    case "DELIVERED":
      return { status: type };
    case "REJECTED":
      return { status: type, rejection_reason: String(payload.reason) };
    case "CANCEL_REQUESTED":
      return { pending_action: "CANCEL", attention_reason: null };
    case "SHIP_REQUESTED":
      return { pending_action: "SHIP", attention_reason: null };
    case "CANCELLED":
      return { status: type, pending_action: null };
    case "SHIPPED":
      return { status: type, pending_action: null, captured: amount("captured") };
    case "REFUNDED":
      return { captured: amount("captured"), refunded: amount("refunded") };
    case "ATTENTION_RAISED":
      return { attention_reason: String(payload.reason), captured: amount("captured") };
    default:
      return { status: `unknown event ${type}` };
  }
}
