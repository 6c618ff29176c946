import { createRequire } from "node:module";
import type { LookupFunction } from "node:net";
import type { Dispatcher } from "undici";
import type { HttpClient, HttpFields, RequestInProgress, ResponseReceiver } from "./http-client.ts";
import type { ClientTls } from "./transport-options.ts";

/** Loads what takes a tenth of a second only in a process that calls others over HTTP/1.1. */
const load = createRequire(import.meta.url);

/**
 * Creates a client for HTTP/1.1 over pooled connections, by undici's dispatcher: a request costs it about half of what
 * it costs Node's `http.Agent`, since it makes no streams, and head and body leave in one write.
 *
 * It has no timeouts of its own for a response: the deadline of a call ends it.
 */
export function createHttp1Client(o: {
  readonly tls?: ClientTls;
  readonly connectionsMax?: number;
  /** Finds the address of an origin's host; the operating system does where it is not given. */
  readonly lookup?: LookupFunction;
}): HttpClient {
  // A module that is loaded by its name has no type of its own.
  const { Agent } = load("undici") as typeof import("undici");
  const agent = new Agent({
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    connections: o.connectionsMax ?? null,
    connect: { timeout: connectMsMax, ...o.tls, ...(o.lookup === undefined ? {} : { lookup: o.lookup }) },
  });
  return {
    send({ origin, path, verb, fields, body }, receiver) {
      const exchange = new Exchange(receiver);
      agent.dispatch({ origin, path, method: verb, headers: fields, body: body ?? null }, exchange);
      return exchange;
    },
    close: () => agent.destroy(),
  };
}

/**
 * How long a connection may take to be made. A request that is canceled meanwhile leaves its attempt behind for as
 * long, so it is short: a host that answers nothing would otherwise collect sockets.
 */
const connectMsMax = 2_000;

/** One request, as undici's dispatcher wants its handler. */
class Exchange implements RequestInProgress, Dispatcher.DispatchHandler {
  readonly #receiver: ResponseReceiver;
  #controller: Dispatcher.DispatchController | undefined;
  #canceledBy: Error | undefined;

  constructor(receiver: ResponseReceiver) {
    this.#receiver = receiver;
  }

  cancel(reason: Error): void {
    this.#canceledBy = reason;
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It was canceled while it waited for a connection.
    if (this.#canceledBy !== undefined) controller.abort(this.#canceledBy);
  }

  onResponseStart(_: unknown, status: number, fields: HttpFields): void {
    // A response of 1xx comes before the one that counts.
    if (status >= 200) this.#receiver.onHead(status, fields);
  }

  onResponseData(_: unknown, part: Uint8Array): void {
    this.#receiver.onData(part);
  }

  onResponseEnd(_: unknown, trailers: HttpFields): void {
    this.#receiver.onEnd(trailers);
  }

  onResponseError(_: unknown, error: Error): void {
    this.#receiver.onError(error);
  }
}
