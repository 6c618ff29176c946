import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import {
  type ConnectNodeAdapterOptions,
  compressionBrotli,
  compressionGzip,
  connectNodeAdapter,
} from "@connectrpc/connect-node";
import { createDeadlineWheel } from "../deadline/deadline-wheel.ts";
import { answerUnary, type UnaryRoad } from "./answer-unary.ts";
import { chooseProtocol } from "./choose-protocol.ts";
import { type Exchange, MessageExchange, StreamExchange } from "./exchange.ts";
import type { UnaryHooks } from "./hooks.ts";
import { noteUnaryMethods, pathOf, type UnaryMethod } from "./unary-method.ts";

/** Options of a handler: those of the official adapter, and some of our own. */
export interface ConnectHandlerOptions extends ConnectNodeAdapterOptions {
  /** "stock" puts unary calls on the official handlers too. They take the fast path where it is not given. */
  readonly road?: "fast" | "stock";
  /** What the owner of the handler puts into unary calls on the fast path; the official handlers know nothing of it. */
  readonly hooks?: UnaryHooks;
}

/** A request listener, which can also take streams of HTTP/2 before they become requests. */
export interface ConnectHandler {
  (request: IncomingMessage, response: ServerResponse): void;
  /**
   * Answers a stream where it is a unary call of the fast path, and returns whether it is: `listenHttp` passes the
   * others on as requests. Its own objects for a request and a response cost about as much as the call.
   */
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean;
}

/**
 * Creates the request listener of the services that `routes` registers: Connect, gRPC and gRPC-Web, over the HTTP/1.1
 * and HTTP/2 of `@rialto/http`. Unary calls go by a fast path; streams, and what is none of its calls, go by the
 * official handlers. Both say the same on the wire.
 */
export function createConnectHandler(o: ConnectHandlerOptions): ConnectHandler {
  const methods = new Map<string, UnaryMethod>();
  const options = { ...o, acceptCompression: o.acceptCompression ?? [compressionGzip, compressionBrotli] };
  const official = connectNodeAdapter({
    ...options,
    routes: (router) => o.routes(o.road === "stock" ? router : noteUnaryMethods(router, methods, options)),
  });
  const shared: UnaryRoad = { wheel: createDeadlineWheel(), hooks: o.hooks ?? {} };

  /** Whether the exchange is a unary call, which is then answered. */
  const take = (exchange: Exchange, request: IncomingMessage | undefined): boolean => {
    const road = methods.get(pathOf(exchange.target));
    const spoken = road === undefined ? undefined : chooseProtocol(road, exchange);
    if (road === undefined || spoken === undefined) return false;
    const values = request === undefined ? undefined : o.contextValues?.(request);
    answerUnary(exchange, road, spoken, { ...shared, values }).catch(() => exchange.body.destroy());
    return true;
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (!take(new MessageExchange(request, response), request)) official(request, response);
  };
  return Object.assign(listener, {
    // The values of a context are read from a request of Node, which a stream has not become.
    onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      o.contextValues === undefined && take(new StreamExchange(stream, headers), undefined),
  });
}
