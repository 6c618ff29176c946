import type { Counter, Metrics } from "@rialto/telemetry";
import type { ProviderOutcome } from "../provider/provider.ts";
import type { OperationKind } from "../statuses.ts";

/** Counts an answer of the provider, or that there is none. */
export type CountOperation = (operation: OperationKind, outcome: ProviderOutcome["kind"]) => void;

const operations = ["AUTHORIZE", "CAPTURE", "VOID", "REFUND"] as const satisfies readonly OperationKind[];

/**
 * Creates the count of the operations at the payment provider. Each answer is counted once, by the process that
 * committed it; that there was none, each time that it was waited for.
 */
export function createOperationCount(metrics: Metrics): CountOperation {
  const family = metrics.counter({
    name: "rialto.payment.operations",
    unit: "{operation}",
    description: "Operations at the payment provider, by what was asked for and what it answered",
  });
  const of = (operation: OperationKind, outcome: ProviderOutcome["kind"]): Counter =>
    family.with({ operation, outcome });
  const series = new Map(
    operations.map((operation) => [
      operation,
      { APPROVED: of(operation, "APPROVED"), DECLINED: of(operation, "DECLINED"), UNKNOWN: of(operation, "UNKNOWN") },
    ]),
  );
  return (operation, outcome) => series.get(operation)?.[outcome].add();
}
