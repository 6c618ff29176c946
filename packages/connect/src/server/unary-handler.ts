import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { ConnectNodeAdapterOptions } from "@connectrpc/connect-node";
import { createDeadlineWheel } from "@rialto/async";
import { answerUnary } from "./answer-unary.ts";
import { chooseProtocol } from "./choose-protocol.ts";
import { type Exchange, MessageExchange, StreamExchange } from "./exchange.ts";
import type { UnaryHooks } from "./hooks.ts";
import { pathOf, type UnaryMethod } from "./unary-method.ts";

/** The fast path of unary calls. Whatever is none of them is left to its caller. */
export interface UnaryHandler {
  /** Answers a request where it is a unary call of the fast path, and returns whether it is. */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => boolean;
  /**
   * Answers a stream of HTTP/2 where it is such a call, before it becomes a request, and returns whether it is: for
   * `listenHttp`. The objects of a request cost about as much as the call.
   */
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean;
}

/** Serves the unary methods by their paths. */
export function serveUnary(
  methods: ReadonlyMap<string, UnaryMethod>,
  {
    hooks = {},
    contextValues,
  }: { readonly hooks?: UnaryHooks | undefined } & Pick<ConnectNodeAdapterOptions, "contextValues">,
): UnaryHandler {
  const wheel = createDeadlineWheel();
  const take = (exchange: Exchange, request: IncomingMessage | undefined): boolean => {
    const unary = methods.get(pathOf(exchange.target));
    const spoken = unary === undefined ? undefined : chooseProtocol(unary, exchange);
    if (unary === undefined || spoken === undefined) return false;
    const values = request === undefined ? undefined : contextValues?.(request);
    answerUnary(exchange, unary, spoken, { wheel, hooks, values }).catch(() => exchange.abort());
    return true;
  };
  return {
    onRequest: (request, response) => take(new MessageExchange(request, response), request),
    // The values of a context are read from a request of Node, which a stream has not become.
    onStream: (stream, headers) => contextValues === undefined && take(new StreamExchange(stream, headers), undefined),
  };
}
