/** When each part of stopping ends, in milliseconds from the signal on. */
export interface StopTimes {
  /** New connections and requests are accepted until then. */
  readonly drainMs: number;
  /** Requests and jobs that run may take until then. The requests are answered UNAVAILABLE, the jobs aborted. */
  readonly workMs: number;
  /** The process exits, whatever is left. */
  readonly exitMs: number;
}

/** How long what runs may take after the drain: longer than most calls' deadlines, and all of a saga's steps. */
const workMsMax = 15_000;
/** How long closing the rest may take: the last answers, relays, pools, the log. */
const closeMsMax = 5_000;

/**
 * Returns the times for a drain of so many seconds: with the 5 of production, what runs has 20 s and the process exits
 * within 25 s, before an orchestrator kills it (Kubernetes after 30 s).
 */
export function stopTimesOf({ drainSeconds }: { readonly drainSeconds: number }): StopTimes {
  const drainMs = drainSeconds * 1_000;
  const workMs = drainMs + workMsMax;
  return { drainMs, workMs, exitMs: workMs + closeMsMax };
}
