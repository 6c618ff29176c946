import type { LedgerRow, OrderRow, PaymentRow } from "../evidence.ts";
import type { Check, Violation } from "./check.ts";

/**
 * The card network's ledger agrees with the state and the refunds of each order. No order is authorized twice, and
 * nothing is held or charged for a rejected or canceled one.
 */
export const moneyAddsUp: Check = ({ orders, ledger, payments }) => {
  const violations: Violation[] = [];
  const paymentOf = new Map(payments.map((payment) => [payment.order_id, payment]));
  for (const order of [...ledger.keys(), ...paymentOf.keys()])
    if (!orders.has(order))
      violations.push({ order, message: "it has ledger entries or a payment, and does not exist" });
  let captured = 0n;
  let refunded = 0n;
  for (const row of orders.values()) {
    const entries = ledger.get(row.id) ?? [];
    const sums = sumsOf(entries);
    captured += sums.captured;
    refunded += sums.refunded;
    for (const message of problems(row, paymentOf.get(row.id), sums)) violations.push({ order: row.id, message });
  }
  const entries = [...ledger.values()].flat();
  const count = (kind: LedgerRow["kind"]) => entries.filter((e) => e.kind === kind && e.outcome === "APPROVED").length;
  const kinds = `${count("AUTHORIZE")} authorized, ${count("CAPTURE")} captured, ${count("VOID")} voided, ${count("REFUND")} refunded`;
  return {
    name: "money",
    figures: `${entries.length} entries: ${kinds}; ${captured} captured - ${refunded} refunded`,
    violations,
  };
};

interface Sums {
  readonly authorizations: number;
  readonly captures: number;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** Authorized on the card, and not released. */
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

function problems(row: OrderRow, payment: PaymentRow | undefined, sums: Sums): string[] {
  const message: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) message.push(what);
  };
  const { status, attention_reason: attention } = row;
  check(sums.authorizations <= 1, `it was authorized ${sums.authorizations} times`);
  check(sums.captures <= 1, `it was captured ${sums.captures} times`);
  check(
    row.captured === sums.captured,
    `its row says that ${row.captured} was captured, and the network captured ${sums.captured}`,
  );
  check(
    row.refunded === sums.refunded,
    `its row says that ${row.refunded} was refunded, and the network refunded ${sums.refunded}`,
  );
  check(
    (payment?.captured ?? 0n) === sums.captured,
    `its payment says that ${payment?.captured} was captured, and the network captured ${sums.captured}`,
  );
  check(
    (payment?.refunded ?? 0n) === sums.refunded,
    `its payment says that ${payment?.refunded} was refunded, and the network refunded ${sums.refunded}`,
  );
  if (attention === null) {
    if (status === "REJECTED" || status === "CANCELLED") {
      check(sums.held === 0n, `it is ${status}, and ${sums.held} is held`);
      check(sums.captured === sums.refunded, `it is ${status}, and ${sums.captured - sums.refunded} was kept`);
    }
    if (status === "CONFIRMED") {
      check(sums.held === row.total, `it is CONFIRMED with ${row.total}, and ${sums.held} is held`);
      check(sums.captured === 0n, `it is CONFIRMED, and ${sums.captured} was captured`);
    }
    if (status === "SHIPPED" || status === "DELIVERED")
      check(sums.captured === row.total, `it is ${status} with ${row.total}, and ${sums.captured} was captured`);
  }
  return message;
}
