import type { Check, CheckResult } from "./checks/check.ts";
import { eventsHadEffect, outboxesSettled, processesLived } from "./checks/events.ts";
import { logFolds } from "./checks/history.ts";
import { mailsSentOnce } from "./checks/mail.ts";
import { moneyAddsUp } from "./checks/money.ts";
import { ordersExist, promisesKept } from "./checks/orders.ts";
import { stockAddsUp } from "./checks/stock.ts";
import type { Evidence } from "./evidence.ts";
import { describeMoving, type Moving } from "./rest.ts";

/** Everything that an order survives, a check each. */
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

/** Checks all of it. `moving` is what still moved when there was no more waiting. */
export function check(
  evidence: Evidence,
  rest: { readonly moving: Moving; readonly waitedMs: number },
): readonly CheckResult[] {
  const still = Object.entries(rest.moving).filter(([, count]) => count > 0);
  const atRest: CheckResult = {
    name: "rest",
    figures: `${describeMoving(rest.moving)} moves ${(rest.waitedMs / 1_000).toFixed(1)} s after the last fault and the last request`,
    violations: still.map(([what, count]) => ({ words: `${count} ${what}` })),
  };
  return [atRest, ...checks.map((one) => one(evidence))];
}
