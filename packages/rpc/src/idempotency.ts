import { createHmac } from "node:crypto";
import { type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { AuthService } from "@rialto/contracts";
import type { IdempotencyKey } from "@rialto/database";
import { callErrors } from "./call-errors.ts";
import { type Caller, callerName } from "./caller.ts";
import { refuse } from "./errors.ts";
import { idempotencyKeyCharsMax } from "./limits.ts";

export const idempotencyKeyHeader = "idempotency-key";

/**
 * The key that a call works under: the header's, in the scope of caller and method, with a fingerprint of the request as
 * it was understood. So two encodings of one request are one request, and the stored fingerprint says nothing of it.
 */
export function idempotencyKeyOf(o: {
  readonly method: DescMethod;
  readonly request: Message;
  readonly headers: Headers;
  readonly caller: Caller;
  readonly fingerprintKey: string;
}): IdempotencyKey | undefined {
  const key = o.headers.get(idempotencyKeyHeader);
  if (key === null || !takesKey(o.method)) return undefined;
  if (key.length > idempotencyKeyCharsMax || !/^[\x21-\x7e]+$/.test(key))
    throw refuse(callErrors.IDEMPOTENCY_KEY_INVALID);
  const method = `${o.method.parent.typeName}/${o.method.name}`;
  const fingerprint = createHmac("sha256", o.fingerprintKey)
    .update(method)
    .update("\0")
    .update(toBinary(o.method.input, o.request))
    .digest("hex");
  return { caller: callerName(o.caller), method, key, fingerprint };
}

/** Reads have nothing to repeat, streams no answer to keep, and AuthService must not store the tokens that it gives. */
function takesKey(method: DescMethod): boolean {
  return (
    method.methodKind === "unary" &&
    method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS &&
    method.parent.typeName !== AuthService.typeName
  );
}

/** Whether a call may be sent again when nobody knows what became of it. */
export function isSafeToRepeat(method: DescMethod, headers: Headers): boolean {
  if (method.methodKind !== "unary") return false;
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  return method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT && headers.has(idempotencyKeyHeader);
}
