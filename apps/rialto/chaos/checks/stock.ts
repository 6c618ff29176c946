import type { OrderRow } from "../evidence.ts";
import type { Check, Violation } from "./check.ts";

/**
 * on_hand + shipped = received, reserved is what the orders hold, and nothing is negative, which the table's
 * constraints guarantee.
 */
export const stockAddsUp: Check = ({ record, stock, stockChecks, adjusted, orders, reservations, serverLog }) => {
  const violations: Violation[] = [];
  const held = piecesOf(orders.values(), holdsStock);
  const shipped = piecesOf(orders.values(), ({ status }) => status === "SHIPPED" || status === "DELIVERED");
  for (const row of stock) {
    const id = row.product_id;
    const check = (what: string, is: number | bigint, should: number | bigint) => {
      if (BigInt(is) !== BigInt(should))
        violations.push({ message: `product ${id}: ${what} is ${is}, and should be ${should}` });
    };
    check("on_hand + shipped", BigInt(row.on_hand) + row.shipped, row.received);
    check("received", row.received, record.received.get(id) ?? 0);
    check("the sum of its adjustments", adjusted.get(id) ?? 0, record.received.get(id) ?? 0);
    check("reserved", row.reserved, held.get(id) ?? 0);
    check("shipped", row.shipped, shipped.get(id) ?? 0);
    if (row.on_hand < 0 || row.reserved < 0 || row.reserved > row.on_hand)
      violations.push({ message: `product ${id}: ${row.reserved} are reserved of ${row.on_hand}` });
  }
  for (const row of orders.values()) {
    const state = reservations.get(row.id)?.state ?? "none";
    const fits = reservationStates(row);
    if (!fits.includes(state))
      violations.push({ order: row.id, message: `it is ${row.status}, and its reservation is ${state}` });
  }
  for (const name of ["stock_never_negative", "stock_adds_up"])
    if (!stockChecks.includes(name)) violations.push({ message: `the stock table lacks its constraint ${name}` });
  const refused = serverLog.split("\n").filter((line) => /violates check constraint "stock_/.test(line));
  for (const line of refused) violations.push({ message: `a stock row was refused: ${line}` });
  const sum = (of: (row: (typeof stock)[number]) => number | bigint) =>
    stock.reduce((total, row) => total + BigInt(of(row)), 0n);
  return {
    name: "stock",
    figures: `${stock.length} products: received ${sum((r) => r.received)} = on hand ${sum((r) => r.on_hand)} + shipped ${sum((r) => r.shipped)}; reserved ${sum((r) => r.reserved)}; ${refused.length} rows refused`,
    violations,
  };
};

function holdsStock({ status, attention_reason }: OrderRow): boolean {
  if (attention_reason === "STOCK_LOST") return false;
  return status === "CONFIRMED" || status === "STOCK_RESERVED";
}

function piecesOf(orders: Iterable<OrderRow>, counts: (row: OrderRow) => boolean): ReadonlyMap<string, number> {
  const pieces = new Map<string, number>();
  for (const row of orders) {
    if (!counts(row)) continue;
    for (const { productId, quantity } of row.items) pieces.set(productId, (pieces.get(productId) ?? 0) + quantity);
  }
  return pieces;
}

/**
 * The reservation states that fit an order at rest. The reservation of a refused order is its tombstone or was
 * released.
 */
function reservationStates(row: OrderRow): readonly string[] {
  switch (row.status) {
    case "SHIPPED":
    case "DELIVERED":
      return ["COMMITTED"];
    case "REJECTED":
    case "CANCELLED":
      return ["RELEASED", "REFUSED"];
    default:
      return holdsStock(row) ? ["RESERVED"] : ["RELEASED", "REFUSED", "none"];
  }
}
