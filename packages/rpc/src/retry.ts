import { retryDelayMsBase, retryDelayMsMax } from "./limits.ts";

/** How long to wait after the attempt with this number (from 0): full jitter, so that those who failed together do not return together. */
export function retryPauseMs(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(retryDelayMsMax, retryDelayMsBase * 2 ** attempt);
}

/** Failures of looking for or reaching a host: nothing was sent, so any call may go elsewhere. */
const neverSentCodes: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Whether a request certainly did not leave this process. */
export function isNeverSent(error: unknown): boolean {
  for (let reason = error, depth = 0; reason instanceof Error && depth < causesMax; reason = reason.cause, depth += 1) {
    if ("code" in reason && neverSentCodes.has(reason.code)) return true;
  }
  return false;
}

/** How far a chain of causes is followed. */
const causesMax = 8;
