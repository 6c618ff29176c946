import { type BackoffOptions, BulkheadFull } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { retryBudgetMax, retryDelayMsBase, retryDelayMsMax, retryShare } from "../limits.ts";
import { causesOf, isRequestFailure, SessionLost, StreamRefused } from "./response-failure.ts";

/** The delays between the attempts of one call. */
export const retryBackoff: BackoffOptions = { delayMsMin: retryDelayMsBase, delayMsMax: retryDelayMsMax };

/** Limits retries to a share of the requests, plus a burst. */
export interface RetryBudget {
  /** Adds the share of one request. */
  earn(): void;
  /** Uses one retry. Returns false where none is left. */
  spend(): boolean;
}

/** Creates a full budget. Without one, a service that is down would get three times the requests of one that is up. */
export function createRetryBudget(): RetryBudget {
  let retries = retryBudgetMax;
  return {
    earn() {
      retries = Math.min(retryBudgetMax, retries + retryShare);
    },
    spend() {
      if (retries < 1) return false;
      retries -= 1;
      return true;
    },
  };
}

/**
 * Failures to resolve or reach a host: the request was not sent, so any call may be sent to another replica. A code of
 * the operating system that may come later too, as ETIMEDOUT, is none of them but where it came from connecting.
 */
const neverSentCodes: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Whether a request certainly did not leave this process, or the server certainly did not process it. */
export function isNeverSent(error: unknown): boolean {
  if (error instanceof BulkheadFull || error instanceof StreamRefused) return true;
  return causesOf(error).some(
    (reason) =>
      ("code" in reason && neverSentCodes.has(reason.code)) || ("syscall" in reason && reason.syscall === "connect"),
  );
}

/** How a replica failed. Health shows it, so it does not tell where the replica is. */
export type FailureClass = "refused" | "unreachable" | "reset" | "silent" | "unavailable" | "other";

const classes: Readonly<Record<string, FailureClass>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ERR_STREAM_PREMATURE_CLOSE: "reset",
  ERR_HTTP2_SESSION_ERROR: "reset",
  ERR_HTTP2_STREAM_ERROR: "reset",
  ETIMEDOUT: "silent",
};

/** The replica did not respond within the deadline of a call. */
export class NoResponse extends Error {
  override readonly name = "NoResponse";
}

/** Returns how the replica failed; undefined where the failure is the request's own, or was counted already. */
export function failureClassOf(error: unknown): FailureClass | undefined {
  if (error instanceof NoResponse) return "silent";
  if (error instanceof CallError || error instanceof BulkheadFull || error instanceof StreamRefused) return undefined;
  if (isRequestFailure(error)) return undefined;
  if (error instanceof SessionLost) return error.isFirst ? "reset" : undefined;
  for (const reason of causesOf(error)) {
    const known = "code" in reason && typeof reason.code === "string" ? classes[reason.code] : undefined;
    if (known !== undefined) return known;
  }
  return "other";
}
