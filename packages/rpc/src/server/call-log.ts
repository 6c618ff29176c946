import type { Logger } from "@rialto/telemetry";
import type { CallError } from "../errors/call-error.ts";
import { callerName } from "../identity/caller.ts";
import type { HandlerContext } from "./handler-context.ts";

/**
 * Logs one line for a call that ended: debug where it succeeded, info where it was refused, warn where a dependency is
 * down, error with the cause where it hit a defect. Never logs the request or a token. The line names its caller where
 * one was identified. It is built only where the log's level shows it. The span of a failure whose trace is not
 * recorded is exported all the same: `marked` says so in its line.
 */
export function logCall(
  log: Logger,
  context: HandlerContext,
  refusal: CallError | undefined,
  marked: { readonly sampledBy?: "failure" } = {},
): void {
  if (refusal === undefined) {
    if (log.isLevelEnabled("debug")) log.debug(lineOf(context), "answered");
    return;
  }
  const { code, reason, cause } = refusal;
  if (code === "internal" || code === "unknown")
    log.error({ ...lineOf(context), ...marked, code, reason, err: cause ?? refusal }, "defect");
  else if (code === "unavailable") log.warn({ ...lineOf(context), ...marked, code, reason, err: cause }, "unavailable");
  else if (log.isLevelEnabled("info")) log.info({ ...lineOf(context), ...marked, code, reason }, "refused");
}

/** A field that is undefined is not written. */
function lineOf({ requestId, trace, method, identified, now }: HandlerContext) {
  const caller = identified === undefined ? undefined : callerName(identified);
  const { traceId, spanId } = trace;
  return { requestId, traceId, spanId, method, caller, durationMs: Date.now() - +now };
}
