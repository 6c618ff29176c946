import type { LedgerRow, OrderRow, PaymentRow } from "../evidence.ts";
import type { Check, Violation } from "./check.ts";

/**
 * For each order the card network has what the order's state and its refunds say. No order is authorized twice; nothing is held or
 * was taken for one that was rejected or cancelled.
 */
export const moneyAddsUp: Check = ({ orders, ledger, payments }) => {
  const violations: Violation[] = [];
  const paymentOf = new Map(payments.map((payment) => [payment.order_id, payment]));
  for (const order of [...ledger.keys(), ...paymentOf.keys()])
    if (!orders.has(order)) violations.push({ order, words: "there is money of it, and no order" });
  let captured = 0n;
  let refunded = 0n;
  for (const row of orders.values()) {
    const entries = ledger.get(row.id) ?? [];
    const sums = sumsOf(entries);
    captured += sums.captured;
    refunded += sums.refunded;
    for (const words of wrongs(row, paymentOf.get(row.id), sums)) violations.push({ order: row.id, words });
  }
  const entries = [...ledger.values()].flat();
  const count = (kind: LedgerRow["kind"]) => entries.filter((e) => e.kind === kind && e.outcome === "APPROVED").length;
  const kinds = `${count("AUTHORIZE")} authorized, ${count("CAPTURE")} captured, ${count("VOID")} voided, ${count("REFUND")} refunded`;
  return {
    name: "money",
    figures: `${entries.length} entries: ${kinds}; ${captured} taken - ${refunded} given back`,
    violations,
  };
};

interface Sums {
  readonly authorizations: number;
  readonly captures: number;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** On the customer's card, and not theirs to spend. */
  readonly held: bigint;
}

function sumsOf(entries: readonly LedgerRow[]): Sums {
  const approved = (kind: LedgerRow["kind"]) => entries.filter((e) => e.kind === kind && e.outcome === "APPROVED");
  const sum = (rows: readonly LedgerRow[]) => rows.reduce((total, { amount }) => total + amount, 0n);
  const authorized = sum(approved("AUTHORIZE"));
  const captured = sum(approved("CAPTURE"));
  return {
    authorizations: approved("AUTHORIZE").length,
    captures: approved("CAPTURE").length,
    authorized,
    captured,
    refunded: sum(approved("REFUND")),
    held: approved("VOID").length > 0 ? 0n : authorized - captured,
  };
}

function wrongs(row: OrderRow, payment: PaymentRow | undefined, sums: Sums): string[] {
  const words: string[] = [];
  const say = (holds: boolean, what: string) => {
    if (!holds) words.push(what);
  };
  const { status, attention_reason: attention } = row;
  say(sums.authorizations <= 1, `it was authorized ${sums.authorizations} times`);
  say(sums.captures <= 1, `it was captured ${sums.captures} times`);
  say(row.captured === sums.captured, `it says that ${row.captured} was taken, and the network took ${sums.captured}`);
  say(
    row.refunded === sums.refunded,
    `it says that ${row.refunded} was given back, and the network gave ${sums.refunded}`,
  );
  say(
    (payment?.captured ?? 0n) === sums.captured,
    `its payment says that ${payment?.captured} was taken, the network ${sums.captured}`,
  );
  say(
    (payment?.refunded ?? 0n) === sums.refunded,
    `its payment says that ${payment?.refunded} was given back, the network ${sums.refunded}`,
  );
  if (attention === null) {
    if (status === "REJECTED" || status === "CANCELLED") {
      say(sums.held === 0n, `it is ${status}, and ${sums.held} is held`);
      say(sums.captured === sums.refunded, `it is ${status}, and ${sums.captured - sums.refunded} was kept`);
    }
    if (status === "CONFIRMED") {
      say(sums.held === row.total, `it is CONFIRMED with ${row.total}, and ${sums.held} is held`);
      say(sums.captured === 0n, `it is CONFIRMED, and ${sums.captured} was taken`);
    }
    if (status === "SHIPPED" || status === "DELIVERED")
      say(sums.captured === row.total, `it is ${status} with ${row.total}, and ${sums.captured} was taken`);
  }
  return words;
}
