import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "@rialto/telemetry";
import type { CallError } from "../errors/call-error.ts";
import { type Caller, callerName } from "../identity/caller.ts";

/**
 * Logs one line for a call that ended: debug where it succeeded, info where it was refused, warn where a dependency is
 * down, error with the cause where it hit a defect. Never logs the request or a token.
 */
export function logCall(o: {
  readonly log: Logger;
  readonly method: DescMethod;
  /** Undefined where the call was refused before the caller was identified. */
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
