/** What a failure of a server or a socket means for the work that ran into it. */
export interface FailureMeaning {
  /**
   * The same work may succeed later. `uncounted`: the server is at fault, so the attempt does not count.
   */
  readonly again: "uncounted" | "counted";
  /**
   * `all dropped`: the server keeps its sessions open, but none is usable. `dropped`: this one is closed.
   */
  readonly connection: "kept" | "dropped" | "all dropped";
  /** `unknown`: the work may have been done. */
  readonly outcome: "known" | "unknown";
  /** `not ready`: the next query will fail too, so the service reports that it is not ready. */
  readonly server: "ready" | "not ready";
}

const lost: FailureMeaning = {
  again: "uncounted",
  connection: "dropped",
  outcome: "unknown",
  server: "not ready",
};
const notLetIn: FailureMeaning = { ...lost, outcome: "known" };
const kept: FailureMeaning = { again: "uncounted", connection: "kept", outcome: "known", server: "ready" };

/**
 * Postgres: SQLSTATEs, the more specific first (PostgreSQL 18, appendix A). Any other code is a fault of the work
 * itself.
 */
const postgres: readonly (readonly [code: RegExp, meaning: FailureMeaning, why: string])[] = [
  [/^08/, lost, "the connection failed"],
  [/^57P0[1-3]$/, lost, "the server stops, crashed, or starts; what asks while it starts is sent again like the rest"],
  [/^57P04$/, notLetIn, "the database was dropped, to be restored perhaps"],
  [/^57P05$/, { ...notLetIn, server: "ready" }, "the session was idle for too long for the server"],
  [/^57014$/, { ...kept, again: "counted" }, "the statement took too long or was canceled: no outage of the server"],
  [/^25006$/, { ...notLetIn, connection: "all dropped" }, "the server became read-only, or a standby of another one"],
  [/^25P0[34]$/, { ...kept, connection: "dropped" }, "a transaction stood for too long: its process was frozen"],
  [/^28/, notLetIn, "the password or the right to log in was changed"],
  [/^53300$/, { ...kept, connection: "dropped" }, "no connection is left for us"],
  [/^53/, kept, "no memory or no disk is left"],
  [/^55P03$/, kept, "a lock was waited for in vain"],
  [/^40003$/, { ...kept, outcome: "unknown" }, "the server does not know how the statement ended"],
  [/^40/, kept, "two transactions met"],
];

/** Sockets, by the system's codes, and postgres.js on their behalf. */
const sockets: readonly (readonly [code: RegExp, meaning: FailureMeaning, why: string])[] = [
  [/^(CONNECTION_|CONNECT_TIMEOUT$)/, lost, "the driver lost its connection or could not make one"],
  [/^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/, lost, "the network"],
  [/^(ENOTFOUND|EAI_AGAIN)$/, lost, "the name is not known, or not now"],
];

/** Returns the meaning of a code of Postgres, its driver or the system; undefined for a fault of the work itself. */
export function meaningOf(code: string): FailureMeaning | undefined {
  return [...postgres, ...sockets].find(([pattern]) => pattern.test(code))?.[1];
}

/**
 * Cardinality, data, integrity, program limits and what a trigger raises: the row is at fault, and nothing was written.
 */
export function isRefusal(code: string): boolean {
  return /^(21|22|23|54|P0)[0-9A-Z]{3}$/.test(code);
}

/** A person must act: the server no longer accepts our password. */
export function isAccessRefused(code: string): boolean {
  return /^28[0-9A-Z]{3}$/.test(code);
}
