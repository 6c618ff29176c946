import { DeadlinePassed, isPassing, KeyInUse, KeyReused, QueueFull } from "@rialto/database";
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
  if (error instanceof QueueFull) return unavailable(error);
  if (error instanceof CallError) return refusalOfCall(error);
  if (isPassing(error)) return unavailable(error);
  return refuse(callErrors.INTERNAL_ERROR, { cause: error });
}

/**
 * A call that this one made and did not handle: a service behind that is down is an outage of this method too; any
 * other "no" from behind should have been foreseen here, so it is a bug.
 */
function refusalOfCall(error: CallError): Refusal {
  if (error.code === "canceled") return refuse(callCanceled, { cause: error });
  if (error.code === "deadline_exceeded") return refuse(callErrors.DEADLINE_PASSED, { cause: error });
  if (isUnavailable(error)) return unavailable(error);
  return refuse(callErrors.INTERNAL_ERROR, { cause: error });
}

/** Over HTTP it says in Retry-After when to try again: a failover takes seconds, and most of what is busy is not for as long. */
function unavailable(cause: unknown): Refusal {
  return refuse(callErrors.TEMPORARILY_UNAVAILABLE, { metadata: { retry_after_seconds: retryAfterSeconds }, cause });
}

const retryAfterSeconds = "1";
