import { DatabaseUnreachable, DeadlinePassed, QueueFull } from "./errors.ts";
import { type FailureMeaning, isAccessRefused, isRefusal, meaningOf } from "./failures.ts";

/**
 * Whether something is down or overloaded, so that the same work may succeed later and the attempt does not count: a
 * lost connection, a server that starts, stops or became read-only, a changed password, a lock timeout, a conflict of
 * two transactions (failures.ts). Looks at the causes of an error too.
 */
export function isOutage(error: unknown): boolean {
  return causesOf(error).some((cause) => isOneOfOurs(cause) || meaning(cause)?.again === "uncounted");
}

/**
 * Whether the caller may try again: an outage, or a statement that took too long, which is an attempt like any other.
 */
export function isPassing(error: unknown): boolean {
  return causesOf(error).some((cause) => isOneOfOurs(cause) || meaning(cause) !== undefined);
}

/** Whether the connection was lost while a statement ran, so that it is unknown whether it committed. */
export function isOutcomeUnknown(error: unknown): boolean {
  return causesOf(error).some((cause) => meaning(cause)?.outcome === "unknown");
}

/** Whether Postgres refuses what the statement was given: the same would be refused again, and nothing was written. */
export function isRefused(error: unknown): boolean {
  return causesOf(error).some((cause) => isRefusal(codeOf(cause)));
}

/** Whether a person must act first: the server refuses our password. */
export function isLockedOut(error: unknown): boolean {
  return causesOf(error).some((cause) => isAccessRefused(codeOf(cause)));
}

/** Returns the SQLSTATE or system code of an error. */
export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

function meaning(error: unknown): FailureMeaning | undefined {
  return meaningOf(codeOf(error));
}

const causesDeepMax = 8;

function causesOf(error: unknown): unknown[] {
  const found: unknown[] = [];
  const waiting: unknown[] = [error];
  while (waiting.length > 0 && found.length < causesDeepMax) {
    const next = waiting.shift();
    found.push(next);
    if (next instanceof AggregateError) waiting.push(...next.errors);
    if (next instanceof Error && next.cause !== undefined) waiting.push(next.cause);
  }
  return found;
}

function isOneOfOurs(error: unknown): boolean {
  return error instanceof DatabaseUnreachable || error instanceof QueueFull || error instanceof DeadlinePassed;
}
