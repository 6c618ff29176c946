import type { IncomingMessage, ServerResponse } from "node:http";
import { createConnectRouter } from "@connectrpc/connect";
import {
  type ConnectNodeAdapterOptions,
  compressionBrotli,
  compressionGzip,
  connectNodeAdapter,
} from "@connectrpc/connect-node";
import type { UnaryHooks } from "./hooks.ts";
import { keepConnection } from "./official-request.ts";
import { serveUnary, type UnaryHandler } from "./unary-handler.ts";
import { noteUnaryMethods, type UnaryMethod } from "./unary-method.ts";

/** Options of a handler: those of the official adapter, and some of our own. */
export interface ConnectHandlerOptions extends ConnectNodeAdapterOptions {
  /** "stock" puts unary calls on the official handlers too. They take the fast path where it is not given. */
  readonly unaryPath?: "fast" | "stock";
  /** What the owner of the handler puts into unary calls on the fast path; the official handlers know nothing of it. */
  readonly hooks?: UnaryHooks;
}

/** A request listener, which can also take streams of HTTP/2 before they become requests. */
export interface ConnectHandler {
  (request: IncomingMessage, response: ServerResponse): void;
  readonly onStream: UnaryHandler["onStream"];
}

/**
 * Creates the request listener of the services that `routes` registers: Connect, gRPC and gRPC-Web, over the HTTP/1.1
 * and HTTP/2 of `@rialto/http`. Unary calls go by a fast path; streams, and what is none of its calls, go by the
 * official handlers. Both say the same on the wire.
 */
export function createConnectHandler(o: ConnectHandlerOptions): ConnectHandler {
  const methods = new Map<string, UnaryMethod>();
  const options = withCompression(o);
  const official = connectNodeAdapter({
    ...options,
    routes: (router) => o.routes(o.unaryPath === "stock" ? router : noteUnaryMethods(router, methods, options)),
  });
  const fast = serveUnary(methods, o);
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (fast.onRequest(request, response)) return;
    if (o.unaryPath !== "stock") keepConnection(request, response);
    official(request, response);
  };
  return Object.assign(listener, { onStream: fast.onStream });
}

/** Creates the fast path alone, for the owner of other handlers, who answers whatever it does not take. */
export function createUnaryHandler(o: Omit<ConnectHandlerOptions, "unaryPath" | "fallback">): UnaryHandler {
  const methods = new Map<string, UnaryMethod>();
  const options = withCompression(o);
  o.routes(noteUnaryMethods(createConnectRouter(options), methods, options));
  return serveUnary(methods, o);
}

/** The compressions that the official adapter has where none are given. */
function withCompression<O extends Omit<ConnectHandlerOptions, "fallback">>(o: O): O {
  return { ...o, acceptCompression: o.acceptCompression ?? [compressionGzip, compressionBrotli] };
}
