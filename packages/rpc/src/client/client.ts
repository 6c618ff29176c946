import {
  clone,
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { clientAddressHeader, gatewayName, serviceTokenHeader, userTokenHeader } from "../identity/identity.ts";
import type { PersonTokens, ServiceTokens } from "../identity/signed-tokens.ts";
import { streamTimeoutMsMax, unaryTimeoutMsDefault } from "../limits.ts";
import type { PropagatedContext } from "../server/context.ts";
import type { Endpoint } from "../server/endpoint.ts";
import { idempotencyKeyHeader } from "../server/idempotency.ts";
import { type CallHead, traceparentHeader } from "../server/pipeline.ts";
import { createUpstream, type Upstream } from "../upstream/upstream.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { createHttpTransport } from "./http-transport.ts";
import { createInProcessTransport } from "./in-process-transport.ts";
import type { ClientTransport } from "./transport.ts";

/** What one call may say beside its request. */
export interface CallOptions {
  /** Makes the call safe to repeat: the callee does the work of one key once. */
  readonly idempotencyKey?: string;
  /** How long to wait at the most; the context's deadline counts where it is earlier. */
  readonly timeoutMs?: number;
}

/** Calls to a service. Every call names the work that it is part of, and throws `CallError`. */
export type Client<S extends DescService> = { readonly [P in keyof S["method"]]: ClientMethod<S["method"][P]> };

type ClientMethod<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, context: PropagatedContext, o?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, context: PropagatedContext, o?: CallOptions) => AsyncIterable<MessageShape<O>>
      : never;

/**
 * Where a service is: in this process, or at one or more addresses. The endpoint is looked up at each call. Clients that share an upstream
 * share its connections, and what it knows of its replicas.
 */
export type ClientTarget =
  | { readonly kind: "local"; readonly endpoint: () => Endpoint }
  | { readonly kind: "remote"; readonly urls: readonly string[] }
  | { readonly kind: "remote"; readonly upstream: Upstream };

/**
 * Makes a client. Whether its target is in this process or elsewhere, calls go through the same pipeline and end the
 * same way. `caller` is the service that calls, `target` the one that is called, `tokens` signs for the first. `persons` is the gateway's
 * alone: it signs for the people whose calls these are.
 */
export function createClient<S extends DescService>(service: S, target: ClientTarget, o: Names): Client<S> {
  const road = roadTo(target);
  const methods = service.methods.map((method) => [
    method.localName,
    method.methodKind === "unary" ? unaryCall(road, method, o) : streamCall(road, method, o),
  ]);
  // Each method was made from its own descriptor just now; fromEntries only forgets which is which.
  return Object.fromEntries(methods) as Client<S>;
}

function roadTo(target: ClientTarget): ClientTransport {
  if (target.kind === "local") return createInProcessTransport(target.endpoint);
  return createHttpTransport("upstream" in target ? target.upstream : createUpstream(target));
}

interface Names {
  readonly caller: string;
  readonly target: string;
  readonly tokens: ServiceTokens;
  readonly persons?: PersonTokens;
}

function unaryCall(road: ClientTransport, method: DescMethod, names: Names) {
  return async (request: Record<string, unknown>, context: PropagatedContext, o: CallOptions = {}): Promise<Message> =>
    road.unary(await headOf(method, names, context, o), ownMessage(method.input, request));
}

function streamCall(road: ClientTransport, method: DescMethod, names: Names) {
  return async function* (request: Record<string, unknown>, context: PropagatedContext, o: CallOptions = {}) {
    yield* road.stream(await headOf(method, names, context, o), ownMessage(method.input, request));
  };
}

/** A message that nobody else holds: what the callee or the caller changes in it stays theirs. */
function ownMessage(schema: DescMessage, init: Record<string, unknown>): Message {
  return clone(schema, create(schema, init));
}

async function headOf(method: DescMethod, names: Names, context: PropagatedContext, o: CallOptions): Promise<CallHead> {
  const headers = new Headers({
    [serviceTokenHeader]: await names.tokens.for(names.target),
    [requestIdHeader]: context.requestId,
    [traceparentHeader]: context.traceparent,
  });
  if (names.caller === gatewayName) {
    const person = await personTokenOf(names, context);
    if (person !== undefined) headers.set(userTokenHeader, `Bearer ${person}`);
    if (context.clientAddress !== undefined) headers.set(clientAddressHeader, context.clientAddress);
  }
  if (o.idempotencyKey !== undefined) headers.set(idempotencyKeyHeader, o.idempotencyKey);
  const timeoutMs = o.timeoutMs ?? (method.methodKind === "unary" ? unaryTimeoutMsDefault : streamTimeoutMsMax);
  const latest = Date.now() + timeoutMs;
  const deadline = new Date(context.deadline === undefined ? latest : Math.min(latest, +context.deadline));
  return { method, headers, signal: context.signal, deadline };
}

/** What names the person whose call the gateway makes; undefined where it is nobody's. */
async function personTokenOf({ target, persons }: Names, context: PropagatedContext): Promise<string | undefined> {
  if (context.userToken !== undefined) return context.userToken;
  if (context.caller?.kind !== "user" || persons === undefined) return undefined;
  return persons.for(context.caller, target);
}
