import type { Check, CheckResult } from "./checks/check.ts";
import { eventsHadEffect, outboxesSettled, processesLived } from "./checks/events.ts";
import { logFolds } from "./checks/history.ts";
import { mailsSentOnce } from "./checks/mail.ts";
import { moneyAddsUp } from "./checks/money.ts";
import { ordersExist, promisesKept } from "./checks/orders.ts";
import { stockAddsUp } from "./checks/stock.ts";
import type { Evidence } from "./evidence.ts";
import { describePending, type PendingWork } from "./idle.ts";

/** All checks. */
const checks: readonly Check[] = [
  ordersExist,
  promisesKept,
  moneyAddsUp,
  stockAddsUp,
  logFolds,
  eventsHadEffect,
  mailsSentOnce,
  outboxesSettled,
  processesLived,
];

/** Runs all checks. `pending` is the work that was still pending when the wait ended. */
export function check(
  evidence: Evidence,
  rest: { readonly pending: PendingWork; readonly waitedMs: number },
): readonly CheckResult[] {
  const still = Object.entries(rest.pending).filter(([, count]) => count > 0);
  const atRest: CheckResult = {
    name: "rest",
    figures: `pending ${(rest.waitedMs / 1_000).toFixed(1)} s after the last fault and request: ${describePending(rest.pending)}`,
    violations: still.map(([what, count]) => ({ message: `${count} ${what}` })),
  };
  return [atRest, ...checks.map((one) => one(evidence))];
}
