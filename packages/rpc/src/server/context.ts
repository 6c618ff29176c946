import type { DescMethod } from "@bufbuild/protobuf";
import type { LazySignal } from "@rialto/async";
import type { IdempotencyKey } from "@rialto/database";
import { continueTrace, type Logger } from "@rialto/telemetry";
import { v7 as uuid } from "uuid";
import type { Caller } from "../identity/caller.ts";

/** The context that a call propagates to the calls that it makes. */
export interface PropagatedContext {
  /** Aborts when the caller canceled, or the deadline passed. */
  readonly signal: AbortSignal;
  /** The same, where no AbortSignal is needed: a call in this process reads this one. */
  readonly lazySignal?: LazySignal;
  /** No call made for this work outlives it. */
  readonly deadline?: Date;
  readonly requestId: string;
  readonly traceparent: string;
  /**
   * The caller. The gateway passes a person on to the services that it calls for them; a service calls another as
   * itself.
   */
  readonly caller?: Caller;
  /** The person's access token, which the gateway passes on while services of version 0.1.0 may run. */
  readonly userToken?: string;
  /** The client's address, where the call came through the gateway, which alone passes it on. */
  readonly clientAddress?: string;
}

/** A call on its way from its client to its service. */
export interface OutgoingCall {
  readonly method: DescMethod;
  readonly context: PropagatedContext;
  readonly idempotencyKey?: string | undefined;
  /** When its caller stops waiting. */
  readonly deadline: Date;
}

/**
 * The context of a call, for its handler. Pass it to the calls that the handler makes as it is: a copy by `...` lacks
 * what is made when it is first read.
 */
export interface CallContext extends PropagatedContext {
  readonly caller: Caller;
  /** The method: "rialto.order.v1.OrderService/ShipOrder". */
  readonly method: string;
  /** Set where the caller sent an Idempotency-Key and the method accepts one. */
  readonly idempotencyKey: IdempotencyKey | undefined;
  /** When the call arrived. Handlers read no clock of their own. */
  readonly now: Date;
  readonly log: Logger;
}

/** Creates the context of work that no request started: a step of a saga, a schedule. */
export function backgroundContext(o: {
  readonly traceparent?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}): PropagatedContext {
  const signals = o.signal === undefined ? [] : [o.signal];
  const base = { requestId: uuid(), traceparent: continueTrace(o.traceparent).traceparent };
  if (o.timeoutMs === undefined) return { ...base, signal: AbortSignal.any(signals) };
  return {
    ...base,
    signal: AbortSignal.any([...signals, AbortSignal.timeout(o.timeoutMs)]),
    deadline: new Date(Date.now() + o.timeoutMs),
  };
}
