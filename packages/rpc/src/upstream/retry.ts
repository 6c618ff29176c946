import { type BackoffOptions, BulkheadFull } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { retryDelayMsBase, retryDelayMsMax } from "../limits.ts";
import { causesOf, isOwnFailure, LostWithSession, StreamRefused } from "./response-failure.ts";

/** The delays between the attempts of one call. */
export const retryBackoff: BackoffOptions = { delayMsMin: retryDelayMsBase, delayMsMax: retryDelayMsMax };

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
  if (error instanceof BulkheadFull || error instanceof StreamRefused) return true;
  return causesOf(error).some((reason) => "code" in reason && neverSentCodes.has(reason.code));
}

/** In which way a replica failed. It is told in health, so it says nothing of where the replica is. */
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

/** A replica that gave no answer within the deadline of a call. */
export class Silent extends Error {
  override readonly name = "Silent";
}

/** How a replica failed; undefined where it is not the replica's doing, or was counted already: a request or an answer that we do not take. */
export function failureClassOf(error: unknown): FailureClass | undefined {
  if (error instanceof Silent) return "silent";
  if (error instanceof CallError || error instanceof BulkheadFull || error instanceof StreamRefused) return undefined;
  if (isOwnFailure(error)) return undefined;
  if (error instanceof LostWithSession) return error.isFirst ? "reset" : undefined;
  for (const reason of causesOf(error)) {
    const known = "code" in reason && typeof reason.code === "string" ? classes[reason.code] : undefined;
    if (known !== undefined) return known;
  }
  return "other";
}
