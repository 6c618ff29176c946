import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "@rialto/telemetry";
import type { CallError } from "../errors/call-error.ts";
import { type Caller, callerName } from "../identity/caller.ts";

/**
 * One line for a call that is over: debug where it was answered, info where it was refused, warn where something is down,
 * error, with the cause, where it met a bug. Never the request, never a token.
 */
export function logCall(o: {
  readonly log: Logger;
  readonly method: DescMethod;
  /** Undefined where the call was refused before anybody knew. */
  readonly caller: Caller | undefined;
  readonly started: Date;
  readonly refusal: CallError | undefined;
}): void {
  const line = {
    method: `${o.method.parent.typeName}/${o.method.name}`,
    ...(o.caller === undefined ? {} : { caller: callerName(o.caller) }),
    durationMs: Date.now() - +o.started,
  };
  if (o.refusal === undefined) {
    o.log.debug(line, "answered");
    return;
  }
  const { code, reason, cause } = o.refusal;
  const refused = { ...line, code, reason };
  if (code === "internal" || code === "unknown") o.log.error({ ...refused, err: cause ?? o.refusal }, "defect");
  else if (code === "unavailable") o.log.warn({ ...refused, err: cause }, "unavailable");
  else o.log.info(refused, "refused");
}
