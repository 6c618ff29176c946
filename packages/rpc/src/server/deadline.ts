import type { DescMethod } from "@bufbuild/protobuf";
import { raceSignal } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import { streamTimeoutMsMax, unaryTimeoutMsDefault, unaryTimeoutMsMax } from "../limits.ts";

/** A call's signal and the bookkeeping that ends with the call. */
export interface CallClock {
  /** Aborts, with a CallError as reason, when the caller leaves the deadline passes or `end` is called; never because the call is done. */
  readonly signal: AbortSignal;
  readonly deadline: Date;
  /** Rejects with the signal's reason if that comes before the work is done. The work itself must watch the signal. */
  race<T>(work: Promise<T>): Promise<T>;
  /** Ends the call early, with a reason that its caller is told. */
  end(reason: CallError): void;
  /** Forgets timer and listeners. */
  stop(): void;
}

/** The deadline of a call on the side that answers it: what the caller asked for, within bounds. */
export function deadlineOf(method: DescMethod, asked: Date | undefined, now: Date): Date {
  const askedMs = asked === undefined ? undefined : +asked - +now;
  return new Date(+now + callTimeoutMs(askedMs, method.methodKind !== "unary"));
}

/** How long a call may take: what its caller asked for, within bounds, which are those of a stream where it is answered with many messages. */
export function callTimeoutMs(askedMs: number | undefined, isStream: boolean): number {
  if (isStream) return Math.min(askedMs ?? streamTimeoutMsMax, streamTimeoutMsMax);
  return Math.min(askedMs ?? unaryTimeoutMsDefault, unaryTimeoutMsMax);
}

/** Starts a call's clock. */
export function startClock(parent: AbortSignal, deadline: Date): CallClock {
  const controller = new AbortController();
  const passed = () => controller.abort(new CallError(callErrors.DEADLINE_PASSED));
  const left = () =>
    controller.abort(
      parent.reason instanceof CallError ? parent.reason : new CallError(callCanceled, { cause: parent.reason }),
    );
  const timer = setTimeout(passed, Math.max(0, +deadline - Date.now()));
  if (parent.aborted) left();
  else if (+deadline <= Date.now()) passed();
  else parent.addEventListener("abort", left, { once: true });

  return {
    signal: controller.signal,
    deadline,
    race: (work) => raceSignal(work, controller.signal),
    end: (reason) => controller.abort(reason),
    stop: () => {
      clearTimeout(timer);
      parent.removeEventListener("abort", left);
    },
  };
}
