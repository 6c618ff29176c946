import type { IncomingMessage, ServerResponse } from "node:http";
import { LazySignal } from "@rialto/async";
import type { WriteTimeout } from "@rialto/http";
import { type Caller, type ErrorCode, requestIdFrom, requestIdHeader } from "@rialto/rpc";
import { continueTrace, type Trace } from "@rialto/telemetry";

/** What an exchange is told when it begins. */
interface Circumstances {
  /** The client's address, as far as it can be trusted. */
  readonly clientAddress: string;
  /** How long the response may wait for its client to read. */
  readonly writeTimeout: WriteTimeout;
  /** Aborts when the gateway closes. Ends streams, which could go on for minutes. */
  readonly closing: AbortSignal;
}

/**
 * One request, its response, and what the access log will say of it. The response has the request id from the start:
 * the client's own if it is well formed, else a new one.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path without the query, which may hold page tokens. */
  readonly path: string;
  /** Starts with its question mark; empty if there is none. */
  readonly query: string;
  readonly requestId: string;
  readonly trace: Trace;
  readonly clientAddress: string;
  readonly writeTimeout: WriteTimeout;
  readonly closing: AbortSignal;
  readonly record: AccessRecord = { route: undefined, code: undefined, caller: undefined };
  /** Aborts when the client disconnects before the response is complete. */
  readonly disconnected = new LazySignal();
  #caller: Caller | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, o: Circumstances) {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const { traceparent, [requestIdHeader]: requestId } = request.headers;
    this.request = request;
    this.response = response;
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.query = mark === -1 ? "" : url.slice(mark);
    this.requestId = requestIdFrom(typeof requestId === "string" ? requestId : null);
    this.trace = continueTrace(typeof traceparent === "string" ? traceparent : undefined);
    this.clientAddress = o.clientAddress;
    this.writeTimeout = o.writeTimeout;
    this.closing = o.closing;
    response.setHeader(requestIdHeader, this.requestId);
    response.once("close", () => {
      if (!response.writableFinished) this.disconnected.abort(undefined);
    });
  }

  /** Whether the client disconnected before the response was complete. */
  get isGone(): boolean {
    return this.disconnected.aborted;
  }

  /** The same as an AbortSignal, which is made when it is first read. */
  get signal(): AbortSignal {
    return this.disconnected.signal;
  }

  /** Notes the caller, who may call the method. */
  admit(caller: Caller): AdmittedExchange {
    this.#caller = caller;
    // The getter has a value from now on.
    return this as AdmittedExchange;
  }

  get caller(): Caller | undefined {
    return this.#caller;
  }
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
