import type { DescMethod, Message } from "@bufbuild/protobuf";
import {
  CallError,
  callErrors,
  connectTimeoutHeader,
  connectTimeoutMs,
  createUnaryCall,
  idempotencyKeyHeader,
  type PropagatedContext,
  type UnaryCall,
} from "@rialto/rpc";
import { upstreamNameOf } from "../contract.ts";
import type { AdmittedExchange } from "../exchange/exchange.ts";
import type { Upstreams } from "./upstream.ts";

/**
 * Calls the service of a unary method with a message, for the caller of an exchange. The call has the timeout and the
 * idempotency key of the client's headers. Rejects with `CallError`.
 */
export type CallService = (
  exchange: AdmittedExchange,
  method: DescMethod,
  request: Message,
) => Promise<Readonly<Message>>;

/**
 * Makes the calls of services with messages: a function call to one in this process, binary Connect to the replicas of
 * another.
 */
export function createServiceCalls({ target, tokens, persons, passesAccessTokens }: Upstreams): CallService {
  const calls = new Map<string, UnaryCall>();
  const callTo = (service: string): UnaryCall => {
    const known = calls.get(service);
    if (known !== undefined) return known;
    const made = createUnaryCall(target(service), { caller: "gateway", target: service, tokens, persons });
    calls.set(service, made);
    return made;
  };
  return async (exchange, method, request) => {
    const { headers } = exchange.request;
    const idempotencyKey = headers[idempotencyKeyHeader];
    const timeoutMs = timeoutMsOf(headers[connectTimeoutHeader]);
    const call = callTo(upstreamNameOf(method));
    return call(method, request, contextOf(exchange, passesAccessTokens?.() === true), {
      ...(typeof idempotencyKey === "string" ? { idempotencyKey } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  };
}

/** The work that the call is for. The client's access token is in it only while services of 0.1.0 may run. */
function contextOf(exchange: AdmittedExchange, passesAccessToken: boolean): PropagatedContext {
  const { request, requestId, trace, caller, clientAddress, disconnected } = exchange;
  const hasToken = passesAccessToken && caller.kind === "user";
  const userToken = hasToken ? { userToken: (request.headers.authorization ?? "").slice("bearer".length).trim() } : {};
  return {
    // A call in this process reads the other one, and no AbortSignal is made.
    get signal() {
      return disconnected.signal;
    },
    lazySignal: disconnected,
    requestId,
    traceparent: trace.traceparent,
    caller,
    clientAddress,
    ...userToken,
  };
}

function timeoutMsOf(given: string | readonly string[] | undefined): number | undefined {
  if (typeof given !== "string") return undefined;
  const ms = connectTimeoutMs(given);
  if (Number.isNaN(ms)) throw new CallError(callErrors.INVALID_REQUEST);
  return ms;
}
