import { backoffMs } from "@rialto/async";

const retryBackoff = { delayMsMin: 250, delayMsMax: 60_000 } as const;
/** Shorter than for failures of an event's own: what is down comes back without anything having been mended. */
const outageBackoff = { ...retryBackoff, delayMsMax: 5_000 };
const errorTextMax = 2_000;

/** How often an event has failed so far. */
export interface Failures {
  /** By itself. */
  readonly attempts: number;
  /** In a row, because something was down. */
  readonly outages: number;
}

/** What becomes of an event that failed. */
export interface Setback extends Failures {
  readonly state: "RETRY" | "DEAD";
  readonly delayMs: number;
  readonly lastError: string;
}

/** The process stops, or the queue took the job away: the event is as good as not tried. */
export class HandlerAborted extends Error {
  override readonly name = "HandlerAborted";
  constructor() {
    super("The handler was stopped with its process");
  }
}

/** The handler had its time. Something that it waits for is as good as down. */
export class HandlerTimedOut extends Error {
  override readonly name = "HandlerTimedOut";
  constructor(timeoutMs: number) {
    super(`The handler did not return within ${timeoutMs} ms`);
  }
}

/**
 * Decides how it goes on after a failure: tried again after a growing wait, or dead after its attempts. An outage is no
 * attempt.
 */
export function afterFailure(
  error: unknown,
  before: Failures,
  o: { readonly attemptsMax: number; isOutage(error: unknown): boolean },
): Setback {
  const lastError = textOf(error);
  if (error instanceof HandlerTimedOut || o.isOutage(error)) {
    const outages = before.outages + 1;
    // A handler that hangs holds a place for its whole time: it comes back more slowly than what is refused at once.
    const delayMs = backoffMs(outages, error instanceof HandlerTimedOut ? retryBackoff : outageBackoff);
    return { state: "RETRY", attempts: before.attempts, outages, delayMs, lastError };
  }
  const attempts = before.attempts + 1;
  const state = attempts >= o.attemptsMax ? "DEAD" : "RETRY";
  return { state, attempts, outages: 0, delayMs: backoffMs(attempts, retryBackoff), lastError };
}

/** What an operator reads beside a dead letter. The stack is in the log. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll("\0", "").slice(0, errorTextMax);
}
