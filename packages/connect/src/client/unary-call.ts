import type { DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import type { DeadlineWheel } from "@rialto/async";
import type { HttpClient, HttpFields, HttpRequest, RequestInProgress, ResponseReceiver } from "@rialto/http";
import { deadlinePassed, isReset } from "./call-end.ts";
import { transportError } from "./transport-error.ts";
import type { ResponseMessage, ResponseReader, UnaryMethod } from "./unary-protocol.ts";

/** What may end a call before its response. */
export interface CallBounds {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * One unary call: sends its request, reads its response, and listens to its deadline and its signal. It is its own
 * listener of the response and of the signal, which saves functions for each call.
 */
export class UnaryCall implements ResponseReceiver {
  /**
   * Rejects with a `ConnectError`: that of the response, `deadline_exceeded` after the timeout, `canceled` after the
   * signal (or its reason, where that is a `ConnectError`), or what the connection failed with.
   */
  readonly response: Promise<UnaryResponse>;
  readonly #method: UnaryMethod;
  readonly #reader: ResponseReader;
  readonly #resolve: (response: UnaryResponse) => void;
  readonly #reject: (error: ConnectError) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #cancelDeadline: (() => void) | undefined;
  readonly #deadlineAt: number;
  #request: RequestInProgress | undefined;
  #isOver = false;

  constructor(
    method: UnaryMethod,
    reader: ResponseReader,
    { signal, timeoutMs }: CallBounds,
    deadlines: DeadlineWheel,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<UnaryResponse>();
    this.response = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#method = method;
    this.#reader = reader;
    this.#signal = signal;
    this.#deadlineAt = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    if (timeoutMs !== undefined)
      this.#cancelDeadline = deadlines.add(this.#deadlineAt - performance.now(), () => this.#fail(deadlinePassed()));
    if (signal?.aborted === true) this.handleEvent();
    else signal?.addEventListener("abort", this);
  }

  /** Sends the request, where the call is not over yet. */
  send(client: HttpClient, request: HttpRequest): void {
    if (this.#isOver) return;
    const inProgress = client.send(request, this);
    if (!this.#isOver) this.#request = inProgress;
  }

  /** The signal aborted. */
  handleEvent(): void {
    this.#fail(ConnectError.from(this.#signal?.reason, Code.Canceled));
  }

  onHead(status: number, fields: HttpFields): void {
    if (!this.#isOver) this.#reader.onHead(status, fields);
  }

  onData(part: Uint8Array): void {
    if (!this.#isOver) this.#reader.onData(part);
  }

  onEnd(trailers: HttpFields): void {
    if (this.#isOver) return;
    try {
      const message = this.#reader.onEnd(trailers);
      if (!(message instanceof Promise)) this.#succeed(message);
      else
        message.then(
          (decompressed) => this.#succeed(decompressed),
          (error: unknown) => this.onError(error),
        );
    } catch (error) {
      this.onError(error);
    }
  }

  onError(reason: unknown): void {
    // A server that keeps deadlines too may be quicker, and reset the stream.
    const isLate = isReset(reason) && performance.now() >= this.#deadlineAt;
    this.#fail(isLate ? deadlinePassed(reason) : transportError(reason));
  }

  #succeed(message: ResponseMessage): void {
    if (this.#isOver) return;
    this.#end();
    this.#resolve(new LazyResponse(this.#method.desc, message, this.#reader));
  }

  #fail(error: ConnectError): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(error);
    this.#request?.cancel(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#cancelDeadline?.();
    this.#signal?.removeEventListener("abort", this);
  }
}

/** A response whose headers are made when they are read: most callers want the message alone. */
class LazyResponse implements UnaryResponse {
  readonly stream = false;
  readonly method: DescMethodUnary;
  readonly message: ResponseMessage;
  readonly #reader: ResponseReader;
  #header: Headers | undefined;
  #trailer: Headers | undefined;

  constructor(method: DescMethodUnary, message: ResponseMessage, reader: ResponseReader) {
    this.method = method;
    this.message = message;
    this.#reader = reader;
  }

  get service() {
    return this.method.parent;
  }

  get header(): Headers {
    this.#header ??= this.#reader.header();
    return this.#header;
  }

  get trailer(): Headers {
    this.#trailer ??= this.#reader.trailer();
    return this.#trailer;
  }
}
