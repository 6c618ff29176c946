import { type CallContext, callerName } from "@rialto/rpc";
import { v7 as uuidv7 } from "uuid";
import type { OperationOrigin } from "../payment/state.ts";

/** How often a call decides again because others moved the payment, before it gives up. */
export const decisionsMax = 20;

/** Who asks for an operation and why, for the history and the traces, with an id for the operation. */
export function originOf(ctx: CallContext, reason: string): OperationOrigin {
  return { actor: callerName(ctx.caller), reason, traceparent: ctx.traceparent, operationId: uuidv7() };
}
