import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { CallContext } from "./context.ts";

/**
 * The handlers of a service, by method. Each gets a valid request and the call's context. Only responses are streamed.
 */
export type Handlers<S extends DescService> = { readonly [P in keyof S["method"]]: Handler<S["method"][P]> };

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, ctx: CallContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, ctx: CallContext) => AsyncIterable<MessageInitShape<O>>
      : never;

/** A handler without its types, which its method has. */
export type UnaryHandler = (request: Message, ctx: CallContext) => Promise<Record<string, unknown>>;
export type StreamHandler = (request: Message, ctx: CallContext) => AsyncIterable<Record<string, unknown>>;

/** A service of the contract and its handlers. Created by `serve`. */
export interface Route {
  readonly service: DescService;
  readonly unary: ReadonlyMap<DescMethodUnary, UnaryHandler>;
  readonly streams: ReadonlyMap<DescMethodServerStreaming, StreamHandler>;
}

/** Binds a service of the contract to its handlers. */
export function serve<S extends DescService>(service: S, handlers: Handlers<S>): Route {
  const unary = new Map<DescMethodUnary, UnaryHandler>();
  const streams = new Map<DescMethodServerStreaming, StreamHandler>();
  // The endpoint looks a handler up by its method, and calls it with that method's messages only.
  const byName = handlers as Readonly<Record<string, unknown>>;
  for (const method of service.methods) {
    const handler = byName[method.localName];
    if (typeof handler !== "function") throw new Error(`${service.typeName}.${method.name} has no handler`);
    if (isUnary(method)) unary.set(method, handler.bind(handlers) as UnaryHandler);
    else if (isServerStream(method)) streams.set(method, handler.bind(handlers) as StreamHandler);
    else throw new Error(`${service.typeName}.${method.name} streams its request, which is not supported`);
  }
  return { service, unary, streams };
}

/** Narrows a method to a unary one. */
export function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

/** Narrows a method to one that streams its response. */
export function isServerStream(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === "server_streaming";
}
