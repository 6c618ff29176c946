import {
  type Attributes,
  errorWord,
  type RecordedSpan,
  rialtoNames,
  rpcNames,
  rpcSystem,
  type Tracing,
} from "@rialto/telemetry";
import type { CallError } from "../errors/call-error.ts";
import { isFailureCode } from "../errors/codes.ts";
import type { HandlerContext } from "./handler-context.ts";

/**
 * Starts the span of a call that a service answers, where its trace is recorded. The caller is one of ours, so the
 * decision of its header holds.
 */
export function beginCallSpan(
  tracing: Tracing,
  method: string,
  traceparent: string | undefined,
): RecordedSpan | undefined {
  const start = () => ({ kind: "server", attributes: methodAttributes(method) }) as const;
  return tracing.begin(method, { traceparent, start });
}

/**
 * Ends the span of a call. One that failed, and whose trace is not recorded, is exported alone: the mark of its line in
 * the log is returned. A refusal is no failure of the service: only its code is kept.
 */
export function endCallSpan(
  tracing: Tracing,
  context: HandlerContext,
  refusal: CallError | undefined,
): { readonly sampledBy: "failure" } | undefined {
  const { span, identified, requestId } = context;
  if (span === undefined) {
    if (refusal === undefined || !isFailureCode(refusal.code)) return undefined;
    return recordFailure(tracing, context, refusal) ? { sampledBy: "failure" } : undefined;
  }
  span.set({ [rialtoNames.requestId]: requestId, [rialtoNames.userId]: userIdOf(identified) });
  if (refusal !== undefined) {
    span.set({ [rpcNames.status]: refusal.code });
    if (isFailureCode(refusal.code)) span.fail(errorWord(refusal));
  }
  span.end();
  return undefined;
}

function recordFailure(tracing: Tracing, context: HandlerContext, refusal: CallError): boolean {
  const { method, trace, sentTraceparent, now, requestId, identified } = context;
  return tracing.recordFailure({
    name: method,
    kind: "server",
    trace,
    traceparent: sentTraceparent,
    startedAt: +now,
    errorType: errorWord(refusal),
    attributes: {
      ...methodAttributes(method),
      [rpcNames.status]: refusal.code,
      [rialtoNames.requestId]: requestId,
      [rialtoNames.userId]: userIdOf(identified),
    },
  });
}

function methodAttributes(method: string): Attributes {
  return { [rpcNames.system]: rpcSystem.connect, [rpcNames.method]: method };
}

function userIdOf(caller: HandlerContext["identified"]): string | undefined {
  return caller?.kind === "user" ? caller.userId : undefined;
}
