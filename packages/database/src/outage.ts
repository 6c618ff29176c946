import { DatabaseUnreachable, DeadlinePassed, QueueFull } from "./errors.ts";

/**
 * Whether something is down or overloaded, so that the same work may well succeed later: a lost connection, a server that
 * starts or stops, a lock or a statement that took too long, two transactions that met. The causes of an error are asked too.
 */
export function isOutage(error: unknown): boolean {
  return causesOf(error).some((cause) => isOneOfOurs(cause) || isOutageCode(codeOf(cause)));
}

/** Whether the connection was lost or cut while a statement ran, so that nobody knows whether it committed. */
export function isOutcomeUnknown(error: unknown): boolean {
  return causesOf(error).some((cause) => isConnectionCode(codeOf(cause)));
}

/** The SQLSTATE or system code that an error carries. */
export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
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

/** Codes of the driver (CONNECTION_*, CONNECT_TIMEOUT), of the system, and SQLSTATE 08 (connection) and 57 (operator intervention). */
function isConnectionCode(code: string): boolean {
  return /^(CONNECTION_|CONNECT_TIMEOUT|(08|57)[0-9A-Z]{3}$)/.test(code) || systemCodes.has(code);
}

const systemCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** Besides: 53 (no resources), 40 (two transactions met), 55P03 (lock_timeout), 25P03 and 25P04 (a transaction stood too long). */
function isOutageCode(code: string): boolean {
  return isConnectionCode(code) || /^((53|40)[0-9A-Z]{3}|55P03|25P03|25P04)$/.test(code);
}
