import type { DescMethod } from "@bufbuild/protobuf";
import type { DeadlineWheel } from "@rialto/async";
import { type CancelSignal, LazySignal, onAbort, raceSignal } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import { streamTimeoutMsMax, unaryTimeoutMsDefault, unaryTimeoutMsMax } from "../limits.ts";

/** A call's deadline, and the signal that ends it. */
export interface CallClock {
  /**
   * Aborts, with a CallError as reason, when the caller cancels, the deadline passes or `end` is called; not when the
   * call completes.
   */
  readonly canceled: LazySignal;
  /** `canceled` as an AbortSignal, which is made when it is first read. */
  readonly signal: AbortSignal;
  readonly deadline: Date;
  /**
   * Rejects with the signal's reason where that aborts before the work completes. The work itself must watch the
   * signal.
   */
  race<T>(work: Promise<T>): Promise<T>;
  /** Ends the call early, with the error that its caller gets. */
  end(reason: CallError): void;
  /** Removes deadline and listeners. Call it when the call is over. */
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

/** Starts the clock of a call, on the wheel of its endpoint. It is over at once where its caller has left already. */
export function startClock(wheel: DeadlineWheel, parent: CancelSignal, deadline: Date): CallClock {
  const canceled = new LazySignal();
  const end = (reason: CallError) => canceled.abort(reason);
  const removeListener = onAbort(parent, () => end(cancellationBy(parent.reason)));
  const leftMs = +deadline - Date.now();
  const onDeadline = () => end(new CallError(callErrors.DEADLINE_PASSED));
  if (leftMs <= 0) onDeadline();
  const removeDeadline = canceled.aborted ? undefined : wheel.add(leftMs, onDeadline);
  return {
    canceled,
    get signal() {
      return canceled.signal;
    },
    deadline,
    race: (work) => raceSignal(work, canceled),
    end,
    stop() {
      removeDeadline?.();
      removeListener();
    },
  };
}

function cancellationBy(reason: unknown): CallError {
  return reason instanceof CallError ? reason : new CallError(callCanceled, { cause: reason });
}
