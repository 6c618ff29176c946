import { DeadlinePassed, isPassing, KeyInUse, KeyReused, QueueFull } from "@rialto/database";
import { CallError, isUnavailable } from "./call-error.ts";
import { callCanceled, callErrors } from "./call-errors.ts";

/**
 * The error that a caller gets where a handler threw this. An error that the contract does not foresee becomes
 * INTERNAL_ERROR. What was thrown is the cause: it is logged, and the caller learns nothing of it.
 */
export function toCallError(error: unknown): CallError {
  if (error instanceof CallError) return error.remote ? ownErrorOf(error) : error;
  if (error instanceof KeyReused) return new CallError(callErrors.IDEMPOTENCY_KEY_REUSED, { cause: error });
  if (error instanceof KeyInUse) return new CallError(callErrors.IDEMPOTENCY_KEY_IN_USE, { cause: error });
  if (error instanceof DeadlinePassed) return new CallError(callErrors.DEADLINE_PASSED, { cause: error });
  if (error instanceof QueueFull || isPassing(error)) return unavailable(error);
  return new CallError(callErrors.INTERNAL_ERROR, { cause: error });
}

/**
 * The error of a handler that did not handle the error of a call that it made. Where that callee is unavailable, so is
 * this method. Any other error should have been handled here, so it is a defect.
 */
function ownErrorOf(error: CallError): CallError {
  if (error.code === "canceled") return new CallError(callCanceled, { cause: error });
  if (error.code === "deadline_exceeded") return new CallError(callErrors.DEADLINE_PASSED, { cause: error });
  if (isUnavailable(error)) return unavailable(error);
  return new CallError(callErrors.INTERNAL_ERROR, { cause: error });
}

/** A failover takes seconds, and a queue is rarely full for longer: over HTTP, Retry-After says so. */
function unavailable(cause: unknown): CallError {
  const metadata = { retry_after_seconds: retryAfterSeconds };
  return new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { metadata, cause });
}

const retryAfterSeconds = "1";
