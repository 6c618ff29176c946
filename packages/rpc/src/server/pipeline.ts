import type { KeyObject } from "node:crypto";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { CancelSignal, DeadlineWheel } from "@rialto/async";
import { currentSpan, type Logger, type Tracing } from "@rialto/telemetry";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { toCallError } from "../errors/to-call-error.ts";
import { decideAccess } from "../identity/access.ts";
import { callerUnder, type Identified, identify, identifyInProcess } from "../identity/identity.ts";
import type { TokenVerifier } from "../identity/token-verifier.ts";
import type { CallHeaders } from "../wire/call-headers.ts";
import { requestIdFrom } from "../wire/request-id.ts";
import { logCall } from "./call-log.ts";
import type { CountCall } from "./call-metrics.ts";
import { beginCallSpan, endCallSpan } from "./call-span.ts";
import type { CallContext, OutgoingCall } from "./context.ts";
import { type CallClock, deadlineOf, startClock } from "./deadline.ts";
import { HandlerContext } from "./handler-context.ts";
import { idempotencyKeyHeader, idempotencyKeyOf } from "./idempotency.ts";
import type { MethodPlan } from "./method-plan.ts";
import type { StreamHandler, UnaryHandler } from "./route.ts";
import { assertValid, writeIdsInLowerCase } from "./validation.ts";

// Every call, in process or over the network, goes through these steps in this order:
//
//   admit:  deadline -> request id and trace -> identity -> access policy   (by the head; the body is read after)
//   answer: validation -> idempotency key -> ids in lower case -> handler
//
// Every error on the way becomes a CallError and one log line.

export const traceparentHeader = "traceparent";

/** The parts that an endpoint answers calls with. */
export interface EndpointParts {
  readonly service: string;
  readonly verifier: TokenVerifier;
  readonly fingerprintKey: KeyObject;
  readonly log: Logger;
  readonly tracing: Tracing | undefined;
  readonly countCall: CountCall | undefined;
  readonly planOf: (method: DescMethod) => MethodPlan;
  readonly wheel: DeadlineWheel;
}

/** The head of a call over the network: what is known before its message is read. */
export interface CallHead {
  readonly method: DescMethod;
  readonly headers: CallHeaders;
  /** The caller's, or a new one. */
  readonly requestId: string;
  /** Aborts when the caller leaves. */
  readonly signal: CancelSignal;
  readonly deadline: Date | undefined;
}

/** A call whose head was accepted. */
export interface AdmittedCall {
  readonly method: DescMethod;
  readonly plan: MethodPlan;
  readonly clock: CallClock;
  readonly context: HandlerContext;
  /** The idempotency key as the caller sent it. */
  readonly sentKey: string | undefined;
  /** Whether its handler returned a response, which may still fail to be encoded. */
  isAnswered: boolean;
}

/**
 * Admits a call over the network by its head: at once, unless a token must be verified that was not seen before. Throws
 * or rejects with a CallError. An admitted call must be answered, or ended with `finish`.
 */
export function admit(parts: EndpointParts, head: CallHead): AdmittedCall | Promise<AdmittedCall> {
  const { headers } = head;
  const traceparent = headers.get(traceparentHeader) ?? undefined;
  const sentKey = headers.get(idempotencyKeyHeader) ?? undefined;
  const call = start(parts, head, traceparent, sentKey);
  return admitAs(parts, call, () => identify(headers, parts.service, parts.verifier));
}

/**
 * Admits a call of a service or gateway in the same process, as `admit` does. `caller` is its name, which the process
 * knows by how it was put together.
 */
export function admitInProcess(
  parts: EndpointParts,
  caller: string,
  outgoing: OutgoingCall,
): AdmittedCall | Promise<AdmittedCall> {
  const { method, context, deadline, idempotencyKey } = outgoing;
  // Of its caller's work the span that runs now is nearest.
  const traceparent = currentSpan()?.traceparent ?? context.traceparent;
  const head = {
    method,
    deadline,
    signal: context.lazySignal ?? context.signal,
    requestId: requestIdFrom(context.requestId),
  };
  const call = start(parts, head, traceparent, idempotencyKey);
  return admitAs(parts, call, () => identifyInProcess(caller, context, parts.verifier));
}

function start(
  { planOf, wheel, log, tracing }: EndpointParts,
  { method, signal, deadline, requestId }: Omit<CallHead, "headers">,
  traceparent: string | undefined,
  sentKey: string | undefined,
): AdmittedCall {
  const now = new Date();
  const plan = planOf(method);
  const clock = startClock(wheel, signal, deadlineOf(method, deadline, now));
  const span = tracing === undefined ? undefined : beginCallSpan(tracing, plan.name, traceparent);
  const context = new HandlerContext({ method: plan.name, requestId, traceparent, span, now, clock, log });
  return { method, plan, clock, context, sentKey, isAnswered: false };
}

function admitAs(
  parts: EndpointParts,
  call: AdmittedCall,
  identifyCaller: () => Identified | Promise<Identified>,
): AdmittedCall | Promise<AdmittedCall> {
  const { clock } = call;
  try {
    if (clock.canceled.aborted) throw clock.canceled.reason;
    const found = identifyCaller();
    if (!(found instanceof Promise)) return letIn(call, found);
    const letInLater = (identified: Identified) => letIn(call, identified);
    return clock
      .race(found)
      .then(letInLater)
      .catch((error: unknown) => {
        throw refuse(parts, call, error);
      });
  } catch (error) {
    throw refuse(parts, call, error);
  }
}

/** Lets the caller in where the method's policy allows it, else throws. */
function letIn(call: AdmittedCall, identified: Identified): AdmittedCall {
  const { policy } = call.plan;
  const caller = callerUnder(policy, identified);
  switch (decideAccess(policy, caller)) {
    case "authenticate":
      throw new CallError(callErrors.CALLER_REQUIRED);
    case "deny":
      throw new CallError(callErrors.ACCESS_DENIED);
    case "unknown":
      throw new CallError(callErrors.METHOD_UNKNOWN);
    case "allow":
  }
  call.context.identify(caller, identified);
  return call;
}

/** Ends a call that was not admitted, and returns its error. */
function refuse(parts: EndpointParts, call: AdmittedCall, error: unknown): CallError {
  return finish(parts, call, toCallError(error));
}

/** Answers an admitted unary call. Returns the handler's own object. */
export async function answer(
  parts: EndpointParts,
  call: AdmittedCall,
  handler: UnaryHandler,
  request: Message,
): Promise<Record<string, unknown>> {
  try {
    assertOngoing(call);
    const context = contextOf(parts, call, request);
    const { span } = call.context;
    const answered = span === undefined ? handler(request, context) : span.run(() => handler(request, context));
    const response = await call.clock.race(answered);
    finish(parts, call, undefined);
    call.isAnswered = true;
    return response;
  } catch (error) {
    throw finish(parts, call, toCallError(errorOf(call, error)));
  }
}

/** Answers an admitted stream, until the handler ends it, the caller cancels or the deadline passes. */
export async function* answerStream(
  parts: EndpointParts,
  call: AdmittedCall,
  handler: StreamHandler,
  request: Message,
): AsyncGenerator<Record<string, unknown>, void> {
  let refusal: CallError | undefined;
  let messages: AsyncIterator<Record<string, unknown>> | undefined;
  const { caller } = call.context;
  // A stream may outlast its caller's token: it ends with the session.
  const unsubscribe =
    caller.kind === "user"
      ? parts.verifier.onSessionEnd?.(caller.sessionId, () => call.clock.end(new CallError(callErrors.SESSION_ENDED)))
      : undefined;
  try {
    assertOngoing(call);
    const iterator = handler(request, contextOf(parts, call, request))[Symbol.asyncIterator]();
    messages = iterator;
    const { span } = call.context;
    for (;;) {
      const next = await call.clock.race(span === undefined ? iterator.next() : span.run(() => iterator.next()));
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    refusal = toCallError(errorOf(call, error));
    throw refusal;
  } finally {
    // Do not wait for a handler that waits for its next change: the signal ends it.
    messages?.return?.().catch(() => undefined);
    unsubscribe?.();
    finish(parts, call, refusal);
  }
}

/** Throws the reason of a call that ended while its message was received: its handler is not started any more. */
function assertOngoing({ clock }: AdmittedCall): void {
  if (clock.canceled.aborted) throw clock.canceled.reason;
}

/**
 * Returns the error of the call. Where the signal aborted, its reason tells more than the error of the aborted work.
 */
function errorOf(call: AdmittedCall, error: unknown): unknown {
  const { canceled } = call.clock;
  return canceled.aborted ? canceled.reason : error;
}

/** Takes the steps between the message and its handler. */
function contextOf(parts: EndpointParts, call: AdmittedCall, request: Message): CallContext {
  const { method, plan, context, sentKey } = call;
  const { caller, clientAddress } = context;
  assertValid(method.input, request);
  if (sentKey !== undefined && plan.takesKey) {
    const { fingerprintKey } = parts;
    context.idempotencyKey = idempotencyKeyOf({ method, request, key: sentKey, caller, clientAddress, fingerprintKey });
  }
  // After the fingerprint of the request: older versions stored it with the ids as they were sent.
  writeIdsInLowerCase(method.input, request);
  return context;
}

/** Ends an admitted call: stops its clock, logs its line, ends its span, and returns its error. */
export function finish<R extends CallError | undefined>(parts: EndpointParts, call: AdmittedCall, refusal: R): R {
  call.clock.stop();
  const { tracing, log, countCall } = parts;
  countCall?.(call.plan.name, refusal?.code ?? "ok", call.context.now);
  const marked = tracing === undefined ? undefined : endCallSpan(tracing, call.context, refusal);
  logCall(log, call.context, refusal, marked);
  return refusal;
}
