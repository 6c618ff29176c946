import { DatabaseUnreachable, DeadlinePassed, QueueFull } from "./errors.ts";
import { type FailureMeaning, isAccessRefused, meaningOf } from "./failures.ts";

/**
 * Whether something is down or overloaded, so that the same work may well succeed later and no attempt of it is used
 * up: a lost connection, a server that starts, stops or has become read-only, a password that was changed, a lock that
 * was waited for in vain, two transactions that met (failures.ts). The causes of an error are asked too.
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

/** Whether the connection was lost or cut while a statement ran, so that nobody knows whether it committed. */
export function isOutcomeUnknown(error: unknown): boolean {
  return causesOf(error).some((cause) => meaning(cause)?.outcome === "unknown");
}

/** Whether a person must act before it succeeds: the server refuses our password. */
export function isLockedOut(error: unknown): boolean {
  return causesOf(error).some((cause) => isAccessRefused(codeOf(cause)));
}

/** The SQLSTATE or system code that an error carries. */
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
