import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { DeadlineWheel } from "@rialto/async";
import { headerText, toFields, toWebHeaders } from "../headers/web-headers.ts";
import type { Exchange, Fields } from "./exchange.ts";
import type { UnaryMethod } from "./unary-method.ts";

/** What a call is made of. */
export interface UnaryCallParts {
  readonly unary: UnaryMethod;
  readonly exchange: Exchange;
  readonly protocolName: "connect" | "grpc" | "grpc-web";
  readonly isBinary: boolean;
  readonly timeoutMs: number | undefined;
  readonly headers: Fields;
  readonly trailers: Fields;
  readonly values: ContextValues | undefined;
  readonly wheel: DeadlineWheel;
}

/**
 * One unary call, and the context of its handler. Everything that costs something is made when it is first read: web
 * headers, the signal, the values, the URL. So its members are getters of its class: read them by name, since a copy by
 * spreading has none of them.
 */
export class UnaryCall implements HandlerContext {
  readonly unary: UnaryMethod;
  readonly exchange: Exchange;
  readonly protocolName: "connect" | "grpc" | "grpc-web";
  readonly isBinary: boolean;
  /** What the owner of the handler keeps with the call. */
  kept: unknown;
  readonly #wheel: DeadlineWheel;
  /** By the clock of `performance.now()`. */
  readonly #deadlineMs: number | undefined;
  readonly #headers: Fields;
  readonly #trailers: Fields;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;
  #controller: AbortController | undefined;
  #unwatch: (() => void) | undefined;
  #isOver = false;
  #endReason: unknown;

  constructor(parts: UnaryCallParts) {
    this.unary = parts.unary;
    this.exchange = parts.exchange;
    this.protocolName = parts.protocolName;
    this.isBinary = parts.isBinary;
    this.#wheel = parts.wheel;
    this.#deadlineMs = parts.timeoutMs === undefined ? undefined : performance.now() + parts.timeoutMs;
    this.#headers = parts.headers;
    this.#trailers = parts.trailers;
    this.#values = parts.values;
  }

  get method(): DescMethod {
    return this.unary.method;
  }

  get service(): DescService {
    return this.unary.method.parent;
  }

  get requestMethod(): string {
    return this.exchange.method;
  }

  get url(): string {
    return this.exchange.url();
  }

  get timeoutMs(): () => number | undefined {
    const deadlineMs = this.#deadlineMs;
    return () => (deadlineMs === undefined ? undefined : Math.round(deadlineMs - performance.now()));
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= toWebHeaders(this.exchange.headers);
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= toWebHeaders(this.#headers);
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= toWebHeaders(this.#trailers);
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  /**
   * Aborts when the call is over, its deadline passed, its client is gone or the server shuts down. It is born aborted
   * where one of these was before it is first read.
   */
  get signal(): AbortSignal {
    this.#controller ??= this.#startSignal();
    return this.#controller.signal;
  }

  /** A header of the request, without web headers; null where it has none. The name is in lower case. */
  header(name: string): string | null {
    return headerText(this.exchange.headers[name]);
  }

  /** Sets a header of the answer, without web headers where none are needed. The name is in lower case. */
  setHeader(name: string, value: string): void {
    if (this.#responseHeader === undefined) this.#headers[name] = value;
    else this.#responseHeader.set(name, value);
  }

  /** The headers of the answer. Not to be called before they are complete. */
  headerFields(): Fields {
    return this.#responseHeader === undefined ? this.#headers : toFields(this.#responseHeader);
  }

  /** The trailers of the answer. Not to be called before they are complete. */
  trailerFields(): Fields {
    return this.#responseTrailer === undefined ? this.#trailers : toFields(this.#responseTrailer);
  }

  /** Ends the call: its signal aborts with `reason`, and it has no deadline any more. */
  end(reason?: unknown): void {
    this.#isOver = true;
    this.#endReason = reason;
    this.#abort(reason);
  }

  #abort(reason: unknown): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#controller?.abort(reason);
  }

  #startSignal(): AbortController {
    const controller = new AbortController();
    const { shutdownSignal } = this.unary.options;
    const deadlineMs = this.#deadlineMs;
    if (this.#isOver) controller.abort(this.#endReason);
    else if (deadlineMs !== undefined && deadlineMs <= performance.now()) controller.abort(timedOut());
    else if (this.exchange.isOver()) controller.abort(this.exchange.goneReason());
    else if (shutdownSignal?.aborted === true) controller.abort(shutdownSignal.reason);
    else this.#unwatch = this.#watch(deadlineMs, shutdownSignal);
    return controller;
  }

  #watch(deadlineMs: number | undefined, shutdownSignal: AbortSignal | undefined): () => void {
    const onDeadline = () => this.#abort(timedOut());
    const onGone = () => this.#abort(this.exchange.goneReason());
    const onShutdown = () => this.#abort(shutdownSignal?.reason);
    const offWheel = deadlineMs === undefined ? undefined : this.#wheel.add(deadlineMs - performance.now(), onDeadline);
    const offGone = this.exchange.onGone(onGone);
    shutdownSignal?.addEventListener("abort", onShutdown);
    return () => {
      offWheel?.();
      offGone();
      shutdownSignal?.removeEventListener("abort", onShutdown);
    };
  }
}

function timedOut(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}
