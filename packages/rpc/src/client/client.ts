import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { streamTimeoutMsMax, unaryTimeoutMsDefault } from "../limits.ts";
import type { OutgoingCall, PropagatedContext } from "../server/context.ts";
import { createUpstream, type Upstream } from "../upstream/upstream.ts";
import type { ClientTransport } from "./client-transport.ts";
import type { Names } from "./http-head.ts";
import { createHttpTransport } from "./http-transport.ts";
import { createInProcessTransport, type LocalTarget } from "./in-process-transport.ts";
import { messageToRead } from "./message-to-read.ts";
import { ownCopy } from "./own-copy.ts";

/** Options of one call. */
export interface CallOptions {
  /** Makes the call safe to retry: the callee does the work of one key once. */
  readonly idempotencyKey?: string;
  /** The timeout of the call. The context's deadline applies where it is earlier. */
  readonly timeoutMs?: number;
}

/** A client of a service. Every call gets the context of its work, and rejects with `CallError`. */
export type Client<S extends DescService> = { readonly [P in keyof S["method"]]: ClientMethod<S["method"][P]> };

type ClientMethod<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, context: PropagatedContext, o?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, context: PropagatedContext, o?: CallOptions) => AsyncIterable<MessageShape<O>>
      : never;

/**
 * Where a service runs: in this process, or at one or more addresses. The endpoint is looked up at each call. Clients
 * that share an upstream share its connections and its circuit breakers.
 */
export type ClientTarget =
  | ({ readonly kind: "local" } & LocalTarget)
  | { readonly kind: "remote"; readonly urls: readonly string[] }
  | { readonly kind: "remote"; readonly upstream: Upstream };

/**
 * Creates a client. Calls go through the same pipeline and have the same results wherever the target runs. `caller` is
 * the calling service: over the network `tokens` signs for it; in this process its name alone counts, so only whoever
 * puts the process together creates clients. `target` is the called service. Only the gateway has `persons`, which
 * signs tokens for the people whose calls it passes on.
 */
export function createClient<S extends DescService>(service: S, target: ClientTarget, o: Names): Client<S> {
  const transport = transportTo(target, o);
  const methods = service.methods.map((method) => [
    method.localName,
    method.methodKind === "unary" ? unaryCall(transport, method) : streamCall(transport, method),
  ]);
  // Each method was created from its own descriptor. The type of fromEntries does not keep that.
  return Object.fromEntries(methods) as Client<S>;
}

/**
 * Calls unary methods by their descriptors. The request is the callee's from then on. The answer may be one that others
 * get as well (`isShared`). Rejects with `CallError`.
 */
export type UnaryCall = (
  method: DescMethod,
  request: Message,
  context: PropagatedContext,
  o?: CallOptions,
) => Promise<Readonly<Message>>;

/** Creates what calls any unary method of a service, as a client does, for a proxy that has no types of it. */
export function createUnaryCall(target: ClientTarget, names: Names): UnaryCall {
  const transport = transportTo(target, names, messageToRead);
  return (method, request, context, o) => transport.unary(outgoingCall(method, context, o), request);
}

function transportTo(target: ClientTarget, names: Names, messageOf = ownCopy): ClientTransport {
  if (target.kind === "local") return createInProcessTransport(target, names.caller, messageOf);
  return createHttpTransport("upstream" in target ? target.upstream : createUpstream(target), names);
}

/** Returns a call with the earlier deadline of its context and its timeout. */
export function outgoingCall(method: DescMethod, context: PropagatedContext, o: CallOptions = {}): OutgoingCall {
  const timeoutMs = o.timeoutMs ?? (method.methodKind === "unary" ? unaryTimeoutMsDefault : streamTimeoutMsMax);
  const latest = Date.now() + timeoutMs;
  const deadline = new Date(context.deadline === undefined ? latest : Math.min(latest, +context.deadline));
  return { method, context, idempotencyKey: o.idempotencyKey, deadline };
}

function unaryCall(transport: ClientTransport, method: DescMethod) {
  return (request: Record<string, unknown>, context: PropagatedContext, o?: CallOptions): Promise<Message> =>
    transport.unary(outgoingCall(method, context, o), ownCopy(method.input, request));
}

function streamCall(transport: ClientTransport, method: DescMethod) {
  return async function* (request: Record<string, unknown>, context: PropagatedContext, o?: CallOptions) {
    yield* transport.stream(outgoingCall(method, context, o), ownCopy(method.input, request));
  };
}
