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

/** The handlers of a service: a valid request and the call's context in, the answer out. Streams go to the client only. */
export type Handlers<S extends DescService> = { readonly [P in keyof S["method"]]: Handler<S["method"][P]> };

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, ctx: CallContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, ctx: CallContext) => AsyncIterable<MessageInitShape<O>>
      : never;

/** A handler whose types are known to its method only. */
export type UnaryHandler = (request: Message, ctx: CallContext) => Promise<Record<string, unknown>>;
export type StreamHandler = (request: Message, ctx: CallContext) => AsyncIterable<Record<string, unknown>>;

/** A service of the contract together with who answers it. Made by `serve`. */
export interface Route {
  readonly service: DescService;
  readonly unary: ReadonlyMap<DescMethodUnary, UnaryHandler>;
  readonly streams: ReadonlyMap<DescMethodServerStreaming, StreamHandler>;
}

/** Binds a service of the contract to its handlers. */
export function serve<S extends DescService>(service: S, handlers: Handlers<S>): Route {
  const unary = new Map<DescMethodUnary, UnaryHandler>();
  const streams = new Map<DescMethodServerStreaming, StreamHandler>();
  // A handler is called with what its own method describes and nothing else: the endpoint looks it up by that method.
  const byName = handlers as Readonly<Record<string, unknown>>;
  for (const method of service.methods) {
    const handler = byName[method.localName];
    if (typeof handler !== "function") throw new Error(`${service.typeName}.${method.name} has no handler`);
    if (isUnary(method)) unary.set(method, handler.bind(handlers) as UnaryHandler);
    else if (isServerStream(method)) streams.set(method, handler.bind(handlers) as StreamHandler);
    else throw new Error(`${service.typeName}.${method.name} streams towards the service, which Rialto does not do`);
  }
  return { service, unary, streams };
}

/** Narrows a method to one that answers with one message. */
export function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

/** Narrows a method to one that answers with many. */
export function isServerStream(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === "server_streaming";
}
