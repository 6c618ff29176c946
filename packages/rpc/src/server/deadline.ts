import type { DescMethod } from "@bufbuild/protobuf";
import { raceSignal } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import { streamTimeoutMsMax, unaryTimeoutMsDefault, unaryTimeoutMsMax } from "../limits.ts";

/** A call's deadline, and the signal that ends it. */
export interface CallClock {
  /**
   * Aborts, with a CallError as reason, when the caller cancels, the deadline passes or `end` is called; not when the
   * call completes.
   */
  readonly signal: AbortSignal;
  readonly deadline: Date;
  /**
   * Rejects with the signal's reason where that aborts before the work completes. The work itself must watch the
   * signal.
   */
  race<T>(work: Promise<T>): Promise<T>;
  /** Ends the call early, with the error that its caller gets. */
  end(reason: CallError): void;
  /** Removes timer and listeners. Call it when the call is over. */
  stop(): void;
}

/** Returns the deadline of a call at the callee: the caller's, within bounds. */
export function deadlineOf(method: DescMethod, asked: Date | undefined, now: Date): Date {
  const askedMs = asked === undefined ? undefined : +asked - +now;
  return new Date(+now + callTimeoutMs(askedMs, method.methodKind !== "unary"));
}

/** Returns how long a call may take: the caller's timeout, within the bounds of a unary call or of a stream. */
export function callTimeoutMs(askedMs: number | undefined, isStream: boolean): number {
  if (isStream) return Math.min(askedMs ?? streamTimeoutMsMax, streamTimeoutMsMax);
  return Math.min(askedMs ?? unaryTimeoutMsDefault, unaryTimeoutMsMax);
}

/** Starts the clock of a call. */
export function startClock(parent: AbortSignal, deadline: Date): CallClock {
  const controller = new AbortController();
  const onDeadline = () => controller.abort(new CallError(callErrors.DEADLINE_PASSED));
  const onCancel = () =>
    controller.abort(
      parent.reason instanceof CallError ? parent.reason : new CallError(callCanceled, { cause: parent.reason }),
    );
  const timer = setTimeout(onDeadline, Math.max(0, +deadline - Date.now()));
  if (parent.aborted) onCancel();
  else if (+deadline <= Date.now()) onDeadline();
  else parent.addEventListener("abort", onCancel, { once: true });

  return {
    signal: controller.signal,
    deadline,
    race: (work) => raceSignal(work, controller.signal),
    end: (reason) => controller.abort(reason),
    stop: () => {
      clearTimeout(timer);
      parent.removeEventListener("abort", onCancel);
    },
  };
}
