import type { IncomingMessage, ServerResponse } from "node:http";
import { LazySignal } from "@rialto/async";
import { endWithBody, isAnswered, type WholeResponseBody, type WriteTimeout } from "@rialto/http";
import { type Caller, type ErrorCode, requestIdFrom, requestIdHeader } from "@rialto/rpc";
import type { RecordedSpan, Trace } from "@rialto/telemetry";
import type { TracedRequest } from "./request-span.ts";
import { type Fields, ResponseHead } from "./response-head.ts";

/** What an exchange is told when it begins. */
interface Circumstances {
  /** The client's address, as far as it can be trusted. */
  readonly clientAddress: string;
  /** How long the response may wait for its client to read. */
  readonly writeTimeout: WriteTimeout;
  /** Aborts when the gateway closes. Ends streams, which could go on for minutes. */
  readonly closing: AbortSignal;
  /** The headers that every response has, names in lower case and values in turn. */
  readonly headers: readonly string[];
  readonly traced: TracedRequest;
}

/**
 * One request, its response, and what the access log will say of it. The response has the request id from the start:
 * the client's own if it is well formed, else a new one.
 */
export class Exchange {
  readonly request: IncomingMessage;
  /** The path without the query, which may hold page tokens. */
  readonly path: string;
  /** Starts with its question mark; empty if there is none. */
  readonly query: string;
  readonly requestId: string;
  readonly trace: Trace;
  /** Its span, where its trace is recorded. */
  readonly span: RecordedSpan | undefined;
  readonly clientAddress: string;
  readonly writeTimeout: WriteTimeout;
  readonly closing: AbortSignal;
  readonly record: AccessRecord = { route: undefined, code: undefined, caller: undefined };
  /** Aborts when the client disconnects before the response is complete. */
  readonly disconnected = new LazySignal();
  readonly #response: ServerResponse;
  /** The headers of the response, until they are Node's. */
  #head: ResponseHead | undefined;
  readonly #closeListeners: (() => void)[] = [];
  #caller: Caller | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, o: Circumstances) {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const { [requestIdHeader]: requestId } = request.headers;
    this.request = request;
    this.#response = response;
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.query = mark === -1 ? "" : url.slice(mark);
    this.requestId = requestIdFrom(typeof requestId === "string" ? requestId : null);
    this.trace = o.traced.trace;
    this.span = o.traced.span;
    this.clientAddress = o.clientAddress;
    this.writeTimeout = o.writeTimeout;
    this.closing = o.closing;
    this.#head = new ResponseHead(o.headers);
    this.#head.set(requestIdHeader, this.requestId);
    // It closes once.
    response.on("close", () => {
      if (!response.writableFinished) this.disconnected.abort(undefined);
      for (const listener of this.#closeListeners) listener();
    });
  }

  /** Node's response, with all headers that were set so far: for what writes its head in its own way. */
  get response(): ServerResponse {
    const head = this.#head;
    this.#head = undefined;
    head?.setOn(this.#response);
    return this.#response;
  }

  /** Whether the response can take no more: it was sent, or its client is gone. */
  get isOver(): boolean {
    return isAnswered(this.#response);
  }

  /** The status that was sent; undefined unless the response is complete. */
  get sentStatus(): number | undefined {
    return this.#response.writableFinished ? this.#response.statusCode : undefined;
  }

  /** Whether the response's head was sent. */
  get isHeadSent(): boolean {
    return this.#response.headersSent;
  }

  /** Sets a header of the response, whose name is in lower case. */
  setHeader(name: string, value: string): void {
    if (this.#head === undefined) this.#response.setHeader(name, value);
    else this.#head.set(name, value);
  }

  /** Returns a header that was set, by its name in lower case. */
  getHeader(name: string): string | undefined {
    const value = this.#head === undefined ? this.#response.getHeader(name) : this.#head.get(name);
    return value === undefined ? undefined : `${value}`;
  }

  /**
   * Sends a whole response, with these headers and those that were set, in one write where it fits. Node keeps headers
   * that are set one by one in a form of its own, which costs more than to write them.
   */
  send(status: number, fields: Fields, body: WholeResponseBody): void {
    const response = this.#response;
    response.writeHead(status, this.#head === undefined ? fields : this.#head.with(fields));
    // Not before: a head that cannot be written is followed by that of an error.
    this.#head = undefined;
    endWithBody(response, body);
  }

  /** Calls `listener` when the response is complete or the client has disconnected. */
  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
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
