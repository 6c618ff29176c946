import { DeadlinePassed, isOutage, KeyInUse, KeyReused, QueueFull } from "@rialto/database";
import { CallError, isUnavailable } from "./call-error.ts";
import { callCanceled, callErrors } from "./call-errors.ts";
import { Refusal, refuse } from "./errors.ts";

/**
 * What the caller is told of whatever a handler threw. The cause stays with the refusal for the log line and goes no
 * further. What the contract does not foresee is a bug, and says so without saying what.
 */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof KeyReused) return refuse(callErrors.IDEMPOTENCY_KEY_REUSED, { cause: error });
  if (error instanceof KeyInUse) return refuse(callErrors.IDEMPOTENCY_KEY_IN_USE, { cause: error });
  if (error instanceof DeadlinePassed) return refuse(callErrors.DEADLINE_PASSED, { cause: error });
  if (error instanceof QueueFull) return refuse(callErrors.TEMPORARILY_UNAVAILABLE, { cause: error });
  if (error instanceof CallError) return refusalOfCall(error);
  if (isOutage(error)) return refuse(callErrors.TEMPORARILY_UNAVAILABLE, { cause: error });
  return refuse(callErrors.INTERNAL_ERROR, { cause: error });
}

/**
 * A call that this one made and did not handle: a service behind that is down is an outage of this method too; any
 * other "no" from behind should have been foreseen here, so it is a bug.
 */
function refusalOfCall(error: CallError): Refusal {
  if (error.code === "canceled") return refuse(callCanceled, { cause: error });
  if (error.code === "deadline_exceeded") return refuse(callErrors.DEADLINE_PASSED, { cause: error });
  if (isUnavailable(error)) return refuse(callErrors.TEMPORARILY_UNAVAILABLE, { cause: error });
  return refuse(callErrors.INTERNAL_ERROR, { cause: error });
}
