import { createHmac } from "node:crypto";
import { clone, type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { AuthService } from "@rialto/contracts";
import type { IdempotencyKey } from "@rialto/database";
import { limitKeyOf } from "@rialto/http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { type Caller, callerName } from "../identity/caller.ts";
import { idempotencyKeyCharsMax } from "../limits.ts";

export const idempotencyKeyHeader = "idempotency-key";

/**
 * The key that a call works under: the header's, in the scope of caller and method, with a fingerprint of the request as
 * it was understood. So two encodings of one request are one request, and the stored fingerprint says nothing of it. Secrets (fields that
 * are marked `debug_redact`) are no part of it: nobody can guess a password by what is stored with a key.
 */
export function idempotencyKeyOf(o: {
  readonly method: DescMethod;
  readonly request: Message;
  readonly headers: Headers;
  readonly caller: Caller;
  /** Where the call came in from outside, as the gateway saw it. */
  readonly clientAddress?: string | undefined;
  readonly fingerprintKey: string;
}): IdempotencyKey | undefined {
  const key = o.headers.get(idempotencyKeyHeader);
  if (key === null || !takesKey(o.method)) return undefined;
  if (key.length > idempotencyKeyCharsMax || !/^[\x21-\x7e]+$/.test(key))
    throw new CallError(callErrors.IDEMPOTENCY_KEY_INVALID);
  const method = `${o.method.parent.typeName}/${o.method.name}`;
  const fingerprintOf = (request: Message) =>
    createHmac("sha256", o.fingerprintKey)
      .update(method)
      .update("\0")
      .update(toBinary(o.method.input, request))
      .digest("hex");
  const open = clone(o.method.input, o.request);
  const hadSecrets = clearSecrets(reflect(o.method.input, open));
  const caller = scopeOf(o);
  const scopes = earlierScopesOf(o.caller).filter((scope) => scope !== caller);
  // A key that is kept where all callers without a name had theirs would answer a stranger.
  const isKept = !hadSecrets && o.caller.kind !== "anonymous";
  const fingerprint = isKept ? undefined : fingerprintOf(o.request);
  return {
    ...{ caller, method, key, fingerprint: fingerprintOf(open) },
    ...((scopes.length > 0 || hadSecrets) && { earlier: { scopes, fingerprint } }),
  };
}

/**
 * Whose keys they are: an account's, whatever its role is by now; a service's; of callers without a name, those of one address (as it is counted for
 * limits), which is stored as a digest alone.
 */
function scopeOf(o: {
  readonly caller: Caller;
  readonly clientAddress?: string | undefined;
  readonly fingerprintKey: string;
}): string {
  const { caller, clientAddress } = o;
  if (caller.kind === "user") return `user:${caller.userId}`;
  if (caller.kind === "service" || clientAddress === undefined) return callerName(caller);
  const digest = createHmac("sha256", o.fingerprintKey)
    .update("address\0")
    .update(limitKeyOf(clientAddress))
    .digest("hex");
  return `anonymous:${digest.slice(0, 32)}`;
}

/** The scopes of version 0.1, which had the role in them, and one for all callers without a name. See `EarlierKey`. */
function earlierScopesOf(caller: Caller): readonly string[] {
  if (caller.kind === "user") return [`admin:${caller.userId}`, `customer:${caller.userId}`];
  return [callerName(caller)];
}

/** Clears what is marked as secret, in the message and in those within it; answers whether there was any. */
function clearSecrets(message: ReflectMessage): boolean {
  let had = false;
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.proto.options?.debugRedact === true) {
      message.clear(field);
      had = true;
    } else if (field.fieldKind === "message") had = clearSecrets(message.get(field)) || had;
    else if (field.fieldKind === "list" && field.listKind === "message")
      for (const one of message.get(field)) had = clearSecrets(one as ReflectMessage) || had; // a list of messages has messages
  }
  return had;
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
export function isSafeToRetry(method: DescMethod, headers: Headers): boolean {
  if (method.methodKind !== "unary") return false;
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  return method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT && headers.has(idempotencyKeyHeader);
}
