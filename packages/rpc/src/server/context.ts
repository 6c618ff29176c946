import type { IdempotencyKey } from "@rialto/database";
import { continueTrace, type Logger } from "@rialto/telemetry";
import { v7 as uuid } from "uuid";
import type { Caller } from "../identity/caller.ts";

/** What a call hands on to the calls that it makes. */
export interface PropagatedContext {
  /** Aborts when the work is worth nothing any more: the caller left, or the deadline passed. */
  readonly signal: AbortSignal;
  /** When the work is worth nothing any more. Calls made for it never outlive it. */
  readonly deadline?: Date;
  readonly requestId: string;
  readonly traceparent: string;
  /** Who makes the call. The gateway names a person to the services that it asks for them; what a service asks of another it asks for itself. */
  readonly caller?: Caller;
  /** Their access token, which the gateway passes on instead while services of version 0.1.0 may be behind it. */
  readonly userToken?: string;
  /** The address that the call came in from, where it came through the gateway, which alone passes it on. */
  readonly clientAddress?: string;
}

/** What a handler knows of the call that it answers. It is an PropagatedContext: pass it on as it is. */
export interface CallContext extends PropagatedContext {
  readonly caller: Caller;
  /** What is called: "rialto.order.v1.OrderService/ShipOrder". */
  readonly method: string;
  /** Set where the caller sent an Idempotency-Key and the method takes one. */
  readonly idempotencyKey: IdempotencyKey | undefined;
  /** When the call arrived. Handlers use no clock of their own. */
  readonly now: Date;
  readonly log: Logger;
  /** The request's headers. */
  readonly headers: Headers;
}

/** The origin of work that no request started: a step of a saga, a schedule. */
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
