import type { RecordedOrder } from "../client-record.ts";
import type { OrderRow } from "../evidence.ts";
import type { Check, Violation } from "./check.ts";

/** Every order that was confirmed to a client exists, every key has one order, and every order is at rest. */
export const ordersExist: Check = ({ record, orders, keys }) => {
  const violations: Violation[] = record.contradictions.map(({ order, message }) => ({ order, message }));
  for (const [key, reason] of record.refused)
    violations.push({ message: `the order of key ${key} was refused: ${reason}` });
  for (const [id, { key, userId }] of record.orders) {
    const row = orders.get(id);
    if (row === undefined) violations.push({ order: id, message: "it was confirmed to a client, and does not exist" });
    else if (row.key !== key || row.user_id !== userId)
      violations.push({
        order: id,
        message: `it has key ${row.key} and user ${row.user_id}, and should have ${key} and ${userId}`,
      });
  }
  const byKey = Map.groupBy(orders.values(), ({ key }) => key);
  for (const [key, rows] of byKey)
    if (rows.length > 1)
      violations.push({
        order: rows[1]?.id,
        message: `key ${key} has ${rows.length} orders: ${rows.map(({ id }) => id).join(", ")}`,
      });
  const kept = new Map(keys.map(({ key, order }) => [key, order]));
  for (const { id, key } of orders.values())
    if (kept.get(key ?? "") !== id)
      violations.push({ order: id, message: `its key ${key} is stored with ${kept.get(key ?? "") ?? "nothing"}` });
  for (const row of orders.values()) {
    const why = whyNotIdle(row);
    if (why !== undefined) violations.push({ order: row.id, message: `it is not at rest: ${why}` });
  }
  return {
    name: "orders",
    figures: `${record.orders.size} confirmed, ${orders.size} stored, ${byKey.size} keys, ${record.sendings} requests, ${record.retried} of them retried`,
    violations,
  };
};

/** Every request that was answered with 200 took effect: a cancel cancels, a ship ships or needs attention. */
export const promisesKept: Check = ({ record, orders }) => {
  const violations: Violation[] = [];
  let promises = 0;
  for (const [id, promised] of record.orders) {
    const row = orders.get(id);
    if (row === undefined) continue;
    promises += [
      promised.cancelAccepted,
      promised.shipAccepted,
      promised.deliverAccepted,
      promised.refundAccepted > 0n,
    ].filter(Boolean).length;
    const broken = brokenPromise(promised, row);
    if (broken !== undefined) violations.push({ order: id, message: broken });
  }
  const statuses = Map.groupBy(orders.values(), statusOf);
  const counts = [...statuses].map(([status, rows]) => `${rows.length} ${status}`).sort();
  return { name: "promises", figures: `${promises} kept; ${counts.join(", ")}`, violations };
};

function statusOf({ status, rejection_reason, attention_reason }: OrderRow): string {
  if (attention_reason !== null) return `attention (${attention_reason})`;
  return rejection_reason === null ? status : `${status} (${rejection_reason})`;
}

function whyNotIdle({ status, pending_action, attention_reason }: OrderRow): string | undefined {
  if (attention_reason !== null) return undefined;
  if (pending_action !== null) return `${status} with ${pending_action} pending`;
  return status === "PENDING" || status === "STOCK_RESERVED" ? status : undefined;
}

function brokenPromise(promised: RecordedOrder, row: OrderRow): string | undefined {
  const stands = `it is ${statusOf(row)}`;
  const waits = row.attention_reason !== null;
  if (promised.deliverAccepted && row.status !== "DELIVERED") return `its delivery was accepted and ${stands}`;
  if (promised.cancelAccepted && row.status !== "CANCELLED" && row.attention_reason !== "COMPENSATION_FAILED")
    return `its cancel was accepted and ${stands}`;
  const shipped = row.status === "SHIPPED" || row.status === "DELIVERED";
  if (promised.shipAccepted && !promised.cancelAccepted && !shipped && !waits)
    return `its shipping was accepted and ${stands}`;
  if (row.refunded !== promised.refundAccepted)
    return `refunds of ${promised.refundAccepted} were accepted, and its row has ${row.refunded}`;
  return undefined;
}
