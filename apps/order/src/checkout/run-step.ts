import type { PropagatedContext } from "@rialto/rpc";
import { currentSpan, rialtoNames, runSpan } from "@rialto/telemetry";
import type { Order } from "../order/state.ts";
import type { CheckoutCalls } from "./steps.ts";

/**
 * Runs a step of the checkout, or its undo, as the work of a span of its own where the trace of the order's event is
 * recorded. A refusal is the failure of its step, by the reason.
 */
export function runStep<T>(
  name: string,
  run: (calls: CheckoutCalls, order: Order, context: PropagatedContext) => Promise<T>,
  calls: CheckoutCalls,
  order: Order,
  context: PropagatedContext,
): Promise<T> {
  const work = currentSpan();
  if (work === undefined) return run(calls, order, context);
  const span = work.child(`checkout ${name}`, {
    attributes: { [rialtoNames.step]: name, [rialtoNames.orderId]: order.id },
  });
  return runSpan(span, () => run(calls, order, context));
}
