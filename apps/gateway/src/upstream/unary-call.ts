import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { LazySignal } from "@rialto/async";
import {
  CallError,
  type Caller,
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
    return call(method, request, new ExchangeContext(exchange, passesAccessTokens?.() === true), {
      ...(typeof idempotencyKey === "string" ? { idempotencyKey } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  };
}

/**
 * The work that the call is for. It is passed on as it is. The client's access token is in it only while services of
 * 0.1.0 may run.
 */
class ExchangeContext implements PropagatedContext {
  readonly lazySignal: LazySignal;
  readonly requestId: string;
  readonly traceparent: string;
  readonly caller: Caller;
  readonly clientAddress: string;
  readonly userToken?: string;

  constructor(exchange: AdmittedExchange, passesAccessToken: boolean) {
    const { request, caller } = exchange;
    this.lazySignal = exchange.disconnected;
    this.requestId = exchange.requestId;
    this.traceparent = exchange.trace.traceparent;
    this.caller = caller;
    this.clientAddress = exchange.clientAddress;
    if (passesAccessToken && caller.kind === "user")
      this.userToken = (request.headers.authorization ?? "").slice("bearer".length).trim();
  }

  /** A call in this process reads the other one, and no AbortSignal is made. */
  get signal(): AbortSignal {
    return this.lazySignal.signal;
  }
}

function timeoutMsOf(given: string | readonly string[] | undefined): number | undefined {
  if (typeof given !== "string") return undefined;
  const ms = connectTimeoutMs(given);
  if (Number.isNaN(ms)) throw new CallError(callErrors.INVALID_REQUEST);
  return ms;
}
