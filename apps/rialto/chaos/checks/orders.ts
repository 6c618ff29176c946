import type { OrderRow } from "../evidence.ts";
import type { ToldOrder } from "../told.ts";
import type { Check, Violation } from "./check.ts";

/** Every order that a client was told exists, exists; every key has one order; every order is at rest. */
export const ordersExist: Check = ({ told, orders, keys }) => {
  const violations: Violation[] = told.contradictions.map(({ order, words }) => ({ order, words }));
  for (const [key, reason] of told.refused)
    violations.push({ words: `the order of key ${key} was refused: ${reason}` });
  for (const [id, { key, userId }] of told.orders) {
    const row = orders.get(id);
    if (row === undefined) violations.push({ order: id, words: "a client was told that it exists, and it does not" });
    else if (row.key !== key || row.user_id !== userId)
      violations.push({
        order: id,
        words: `it is of key ${row.key} and user ${row.user_id}, told were ${key} and ${userId}`,
      });
  }
  const byKey = Map.groupBy(orders.values(), ({ key }) => key);
  for (const [key, rows] of byKey)
    if (rows.length > 1)
      violations.push({
        order: rows[1]?.id,
        words: `key ${key} has ${rows.length} orders: ${rows.map(({ id }) => id).join(", ")}`,
      });
  const kept = new Map(keys.map(({ key, order }) => [key, order]));
  for (const { id, key } of orders.values())
    if (kept.get(key ?? "") !== id)
      violations.push({ order: id, words: `its key ${key} is kept with ${kept.get(key ?? "") ?? "nothing"}` });
  for (const row of orders.values()) {
    const why = whyMoving(row);
    if (why !== undefined) violations.push({ order: row.id, words: `it is not at rest: ${why}` });
  }
  return {
    name: "orders",
    figures: `${told.orders.size} told, ${orders.size} there, ${byKey.size} keys, ${told.sendings} requests of which ${told.retried} were sent again`,
    violations,
  };
};

/** What was answered with 200 has come about: a cancel cancels, a ship ships or waits for a person. */
export const promisesKept: Check = ({ told, orders }) => {
  const violations: Violation[] = [];
  let promises = 0;
  for (const [id, promised] of told.orders) {
    const row = orders.get(id);
    if (row === undefined) continue;
    promises += [promised.cancelTold, promised.shipTold, promised.deliverTold, promised.refundTold > 0n].filter(
      Boolean,
    ).length;
    const broken = brokenPromise(promised, row);
    if (broken !== undefined) violations.push({ order: id, words: broken });
  }
  const statuses = Map.groupBy(orders.values(), statusOf);
  const counts = [...statuses].map(([status, rows]) => `${rows.length} ${status}`).sort();
  return { name: "promises", figures: `${promises} kept; ${counts.join(", ")}`, violations };
};

function statusOf({ status, rejection_reason, attention_reason }: OrderRow): string {
  if (attention_reason !== null) return `waiting (${attention_reason})`;
  return rejection_reason === null ? status : `${status} (${rejection_reason})`;
}

function whyMoving({ status, pending_action, attention_reason }: OrderRow): string | undefined {
  if (attention_reason !== null) return undefined;
  if (pending_action !== null) return `${status} with ${pending_action} pending`;
  return status === "PENDING" || status === "STOCK_RESERVED" ? status : undefined;
}

function brokenPromise(promised: ToldOrder, row: OrderRow): string | undefined {
  const stands = `it is ${statusOf(row)}`;
  const waits = row.attention_reason !== null;
  if (promised.deliverTold && row.status !== "DELIVERED") return `it was told to be delivered and ${stands}`;
  if (promised.cancelTold && row.status !== "CANCELLED" && row.attention_reason !== "COMPENSATION_FAILED")
    return `its cancel was accepted and ${stands}`;
  const shipped = row.status === "SHIPPED" || row.status === "DELIVERED";
  if (promised.shipTold && !promised.cancelTold && !shipped && !waits) return `its shipping was accepted and ${stands}`;
  if (row.refunded !== promised.refundTold)
    return `${promised.refundTold} was told to be given back, and its row says ${row.refunded}`;
  return undefined;
}
