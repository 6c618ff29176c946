import { randomUUID } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { abortSignalOf, type CancelSignal, LazySignal } from "@rialto/async";
import type { IdempotencyKey } from "@rialto/database";
import { continueTrace, type Logger } from "@rialto/telemetry";
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

/** The signal of a context for what takes either kind: no AbortSignal is made where it has a lazy one. */
export function cancelSignalOf(context: Pick<PropagatedContext, "lazySignal" | "signal">): CancelSignal {
  return context.lazySignal ?? context.signal;
}

/**
 * Creates the context of work that no request started: a step of a saga, a schedule. Where a trace is recorded, it has
 * no span of its own: its calls are those of the span that it was given.
 */
export function backgroundContext(o: {
  readonly traceparent?: string;
  readonly signal?: CancelSignal;
  readonly timeoutMs?: number;
}): PropagatedContext {
  const requestId = randomUUID();
  const given = continueTrace(o.traceparent);
  const traceparent = given.isSampled && o.traceparent !== undefined ? o.traceparent : given.traceparent;
  if (o.timeoutMs !== undefined) {
    const timeout = AbortSignal.timeout(o.timeoutMs);
    const signal = o.signal === undefined ? timeout : AbortSignal.any([abortSignalOf(o.signal), timeout]);
    return { signal, deadline: new Date(Date.now() + o.timeoutMs), requestId, traceparent };
  }
  if (o.signal instanceof LazySignal) return new LazyContext(o.signal, requestId, traceparent);
  if (o.signal !== undefined) return { signal: o.signal, requestId, traceparent };
  // No lazy signal: one that is given in its place, as `{ ...backgroundContext({}), signal }`, must hold.
  return { signal: new AbortController().signal, requestId, traceparent };
}

/** A context whose AbortSignal is made when it is first read. Like that of a call it is passed on as it is. */
class LazyContext implements PropagatedContext {
  readonly requestId: string;
  readonly traceparent: string;
  readonly #canceled: LazySignal;

  constructor(canceled: LazySignal, requestId: string, traceparent: string) {
    this.#canceled = canceled;
    this.requestId = requestId;
    this.traceparent = traceparent;
  }

  get lazySignal(): LazySignal {
    return this.#canceled;
  }

  get signal(): AbortSignal {
    return this.#canceled.signal;
  }
}
