import type { DescMethod, Message } from "@bufbuild/protobuf";
import { continueTrace, type Logger } from "@rialto/telemetry";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { toCallError } from "../errors/to-call-error.ts";
import { accessOf, decideAccess } from "../identity/access.ts";
import { callerUnder, identify } from "../identity/identity.ts";
import type { TokenVerifier } from "../identity/token-verifier.ts";
import { requestIdOf } from "../wire/request-id.ts";
import { logCall } from "./call-log.ts";
import type { CallContext } from "./context.ts";
import { type CallClock, deadlineOf, startClock } from "./deadline.ts";
import { idempotencyKeyOf } from "./idempotency.ts";
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
  readonly fingerprintKey: string;
  readonly log: Logger;
}

/** The head of a call: what is known before its message is read. */
export interface CallHead {
  readonly method: DescMethod;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly deadline: Date | undefined;
}

/** A call whose head was accepted. */
export interface AdmittedCall {
  readonly head: CallHead;
  readonly clock: CallClock;
  readonly context: Omit<CallContext, "idempotencyKey">;
}

/**
 * Admits a call by its head, or rejects with a CallError. An admitted call must be answered, or ended with `finish`.
 */
export async function admit(parts: EndpointParts, head: CallHead): Promise<AdmittedCall> {
  const now = new Date();
  const clock = startClock(head.signal, deadlineOf(head.method, head.deadline, now));
  const requestId = requestIdOf(head.headers);
  const trace = continueTrace(head.headers.get(traceparentHeader) ?? undefined);
  const log = parts.log.child({ requestId, traceId: trace.traceId });
  try {
    const identified = await clock.race(identify(head.headers, parts.service, parts.verifier));
    const { clientAddress, userToken } = identified;
    const policy = accessOf(head.method);
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
    const context = {
      signal: clock.signal,
      deadline: clock.deadline,
      requestId,
      traceparent: trace.traceparent,
      ...(userToken === undefined ? {} : { userToken }),
      caller,
      method: `${head.method.parent.typeName}/${head.method.name}`,
      now,
      log,
      headers: head.headers,
      ...(clientAddress === undefined ? {} : { clientAddress }),
    };
    return { head, clock, context };
  } catch (error) {
    clock.stop();
    const refusal = toCallError(error);
    logCall({ log, method: head.method, caller: undefined, started: now, refusal });
    throw refusal;
  }
}

/** Answers an admitted unary call. Returns the handler's own object. */
export async function answer(
  parts: EndpointParts,
  call: AdmittedCall,
  handler: UnaryHandler,
  request: Message,
): Promise<Record<string, unknown>> {
  try {
    const response = await call.clock.race(handler(request, contextOf(parts, call, request)));
    finish(call, undefined);
    return response;
  } catch (error) {
    throw finish(call, toCallError(errorOf(call, error)));
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
    messages = handler(request, contextOf(parts, call, request))[Symbol.asyncIterator]();
    for (;;) {
      const next = await call.clock.race(messages.next());
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
    finish(call, refusal);
  }
}

/**
 * Returns the error of the call. Where the signal aborted, its reason tells more than the error of the aborted work.
 */
function errorOf(call: AdmittedCall, error: unknown): unknown {
  return call.clock.signal.aborted ? call.clock.signal.reason : error;
}

function contextOf(parts: EndpointParts, call: AdmittedCall, request: Message): CallContext {
  const { method, headers } = call.head;
  const { caller, clientAddress } = call.context;
  assertValid(method.input, request);
  const { fingerprintKey } = parts;
  const idempotencyKey = idempotencyKeyOf({ method, request, headers, caller, clientAddress, fingerprintKey });
  // After the fingerprint of the request: older versions stored it with the ids as they were sent.
  writeIdsInLowerCase(method.input, request);
  return { ...call.context, idempotencyKey };
}

/** Ends an admitted call: stops its clock, logs its line, and returns its error. */
export function finish<R extends CallError | undefined>(call: AdmittedCall, refusal: R): R {
  call.clock.stop();
  const { log, caller, now: started } = call.context;
  logCall({ log, method: call.head.method, caller, started, refusal });
  return refusal;
}
