import type { DescMethod } from "@bufbuild/protobuf";
import { type CancelSignal, type DeadlineWheel, LazySignal, onAbort } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import { streamTimeoutMsMax, unaryTimeoutMsDefault, unaryTimeoutMsMax } from "../limits.ts";

/** Returns the deadline of a call at the callee: the caller's, within bounds. */
export function deadlineOf(method: DescMethod, asked: Date | undefined, now: Date): Date {
  const askedMs = asked === undefined ? undefined : +asked - +now;
  const timeoutMs = callTimeoutMs(askedMs, method.methodKind !== "unary");
  return asked !== undefined && askedMs === timeoutMs ? asked : new Date(+now + timeoutMs);
}

/** Returns how long a call may take: the caller's timeout, within the bounds of a unary call or of a stream. */
export function callTimeoutMs(askedMs: number | undefined, isStream: boolean): number {
  if (isStream) return Math.min(askedMs ?? streamTimeoutMsMax, streamTimeoutMsMax);
  return Math.min(askedMs ?? unaryTimeoutMsDefault, unaryTimeoutMsMax);
}

/** Starts the clock of a call, on the wheel of its endpoint. It is over at once where its caller has left already. */
export function startClock(wheel: DeadlineWheel, parent: CancelSignal, deadline: Date): CallClock {
  return new CallClock(wheel, parent, deadline);
}

/**
 * A call's deadline, and the signal that ends it. Each call has one, and a class costs a tenth of an object with a
 * getter.
 */
export class CallClock {
  /**
   * Aborts, with a CallError as reason, when the caller cancels, the deadline passes, `end` is called or the wheel is
   * ended, as a process that stops does; not when the call completes.
   */
  readonly canceled: LazySignal = new LazySignal();
  readonly deadline: Date;
  readonly #removeDeadline: (() => void) | undefined;
  readonly #removeListener: () => void;
  /** Ends what waits in `race`. After that has ended it does nothing. */
  #rejectWork: ((reason: unknown) => void) | undefined;

  constructor(wheel: DeadlineWheel, parent: CancelSignal, deadline: Date) {
    this.deadline = deadline;
    this.#removeListener = onAbort(parent, () => this.end(cancellationBy(parent.reason)));
    const leftMs = deadline.getTime() - Date.now();
    const onDeadline = (isEnded: boolean) =>
      this.end(new CallError(isEnded ? callErrors.TEMPORARILY_UNAVAILABLE : callErrors.DEADLINE_PASSED));
    if (leftMs <= 0) onDeadline(false);
    this.#removeDeadline = this.canceled.aborted ? undefined : wheel.add(leftMs, onDeadline);
  }

  /** `canceled` as an AbortSignal, which is made when it is first read. */
  get signal(): AbortSignal {
    return this.canceled.signal;
  }

  /**
   * Rejects with the signal's reason where that aborts before the work completes. The work itself must watch the
   * signal. A call waits for one piece of work at a time: so nothing listens to the signal for it.
   */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.canceled.aborted) reject(this.canceled.reason);
      this.#rejectWork = reject;
      work.then(resolve, reject);
    });
  }

  /** Ends the call early, with the error that its caller gets. */
  end(reason: CallError): void {
    this.canceled.abort(reason);
    this.#rejectWork?.(this.canceled.reason);
  }

  /** Removes deadline and listeners. Call it when the call is over. */
  stop(): void {
    this.#removeDeadline?.();
    this.#removeListener();
  }
}

function cancellationBy(reason: unknown): CallError {
  return reason instanceof CallError ? reason : new CallError(callCanceled, { cause: reason });
}
