import type { IncomingMessage, ServerResponse } from "node:http";
import type { WriteTimeout } from "@rialto/http";
import { type Caller, type ErrorCode, requestIdHeader, requestIdOf } from "@rialto/rpc";
import { continueTrace, type Trace } from "@rialto/telemetry";

/** One request, its response, and what the access log will say of it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path without the query, which may hold page tokens. */
  readonly path: string;
  /** Starts with its question mark; empty if there is none. */
  readonly query: string;
  readonly requestId: string;
  /** The client's address, as far as it can be trusted. */
  readonly clientAddress: string;
  readonly trace: Trace;
  /** How long the response may wait for its client to read. */
  readonly writeTimeout: WriteTimeout;
  /** Aborts when the client disconnects before the response is complete. */
  readonly signal: AbortSignal;
  /** Aborts when the gateway closes. Ends streams, which could go on for minutes. */
  readonly closing: AbortSignal;
  readonly record: AccessRecord;
}

/** An exchange whose caller is identified and may call its method. */
export interface AdmittedExchange extends Exchange {
  readonly caller: Caller;
}

/** What becomes known of a request while it is answered. */
export interface AccessRecord {
  /** A procedure or a path template, never the path itself, so that lines can be grouped. */
  route: string | undefined;
  code: ErrorCode | "ok" | undefined;
  /** anonymous, customer, admin. */
  caller: string | undefined;
}

/**
 * Makes the exchange of a request. Sets the request id on the response: the client's own if it is well formed, else a
 * new one.
 */
export function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  o: Pick<Exchange, "clientAddress" | "writeTimeout" | "closing">,
): Exchange {
  const given = request.headers[requestIdHeader];
  const requestId = requestIdOf(new Headers(typeof given === "string" ? { [requestIdHeader]: given } : {}));
  response.setHeader(requestIdHeader, requestId);
  const disconnected = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) disconnected.abort();
  });
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const traceparent = request.headers.traceparent;
  return {
    request,
    response,
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? "" : url.slice(mark),
    requestId,
    trace: continueTrace(typeof traceparent === "string" ? traceparent : undefined),
    signal: disconnected.signal,
    ...o,
    record: { route: undefined, code: undefined, caller: undefined },
  };
}
