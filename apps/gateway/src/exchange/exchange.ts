import type { IncomingMessage, ServerResponse } from "node:http";
import type { Caller, ErrorCode, TakingTime } from "@rialto/rpc";
import type { Trace } from "@rialto/telemetry";

/** One request on its way through the gateway, and what will be said of it in the access log. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path without the query, which may hold page tokens. */
  readonly path: string;
  /** With its question mark; empty where there is none. */
  readonly query: string;
  readonly requestId: string;
  /** Where the request comes from, as far as it can be trusted. */
  readonly clientAddress: string;
  readonly trace: Trace;
  /** How long the client may take to take its answer. */
  readonly taking: TakingTime;
  /** Aborts when the client goes away before the answer is complete. */
  readonly signal: AbortSignal;
  /** Aborts when the gateway is told to close: what could go on for minutes ends then. */
  readonly closing: AbortSignal;
  readonly record: AccessRecord;
}

/** A request that was let in, and who makes it. */
export interface AdmittedExchange extends Exchange {
  readonly caller: Caller;
}

/** What becomes known of a request while it is answered. */
export interface AccessRecord {
  /** A procedure or a path template: never the path itself, so that lines can be grouped. */
  route: string | undefined;
  code: ErrorCode | "ok" | undefined;
  /** anonymous, customer, admin. */
  caller: string | undefined;
}
