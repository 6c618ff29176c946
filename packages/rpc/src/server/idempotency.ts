import { createHmac, type KeyObject } from "node:crypto";
import {
  clone,
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { method_rules } from "@rialto/contracts";
import type { IdempotencyKey } from "@rialto/database";
import { limitKeyOf } from "@rialto/http";
import { planWalk } from "../bounds/field-rules.ts";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { type Caller, callerName } from "../identity/caller.ts";
import { idempotencyKeyCharsMax } from "../limits.ts";
import type { CallHeaders } from "../wire/call-headers.ts";

export const idempotencyKeyHeader = "idempotency-key";

/**
 * Returns the idempotency key of a call, as it is stored: the caller's, in the scope of caller and method, with a
 * fingerprint of the decoded request. So two encodings of a request have one fingerprint, and the stored fingerprint
 * discloses nothing. Secrets (fields marked `debug_redact`) are not part of it: a password must not be guessed from
 * what is stored with a key.
 */
export function idempotencyKeyOf(o: {
  readonly method: DescMethod;
  readonly request: Message;
  /** As the caller sent it. */
  readonly key: string;
  readonly caller: Caller;
  /** The client's address, as the gateway saw it. */
  readonly clientAddress?: string | undefined;
  readonly fingerprintKey: KeyObject | string;
}): IdempotencyKey {
  const { key } = o;
  if (key.length > idempotencyKeyCharsMax || !/^[\x21-\x7e]+$/.test(key))
    throw new CallError(callErrors.IDEMPOTENCY_KEY_INVALID);
  const method = `${o.method.parent.typeName}/${o.method.name}`;
  const fingerprintOf = (request: Message) =>
    createHmac("sha256", o.fingerprintKey)
      .update(`${method}\0`)
      .update(toBinary(o.method.input, request))
      .digest("hex");
  const open = withoutSecrets(o.method.input, o.request);
  const hadSecrets = open !== undefined;
  const fingerprint = fingerprintOf(open ?? o.request);
  const caller = scopeOf(o);
  const scopes = earlierScopesOf(o.caller).filter((scope) => scope !== caller);
  // A key of version 0.1 in the scope that all anonymous callers shared would give its result to another caller.
  const isKept = !hadSecrets && o.caller.kind !== "anonymous";
  const earlier = isKept ? undefined : hadSecrets ? fingerprintOf(o.request) : fingerprint;
  return {
    ...{ caller, method, key, fingerprint },
    ...((scopes.length > 0 || hadSecrets) && { earlier: { scopes, fingerprint: earlier } }),
  };
}

/**
 * Returns the scope of the caller's keys: an account, whatever its current role; a service; of anonymous callers, their
 * address (as it is counted for limits), which is stored as a digest only.
 */
function scopeOf(o: {
  readonly caller: Caller;
  readonly clientAddress?: string | undefined;
  readonly fingerprintKey: KeyObject | string;
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

/** The scopes of version 0.1, which contained the role, and one for all anonymous callers. See `EarlierKey`. */
function earlierScopesOf(caller: Caller): readonly string[] {
  if (caller.kind === "user") return [`admin:${caller.userId}`, `customer:${caller.userId}`];
  return [callerName(caller)];
}

/** Returns a copy of a request without its secrets; undefined where it has none. */
function withoutSecrets(schema: DescMessage, request: Message): Message | undefined {
  if (secretFieldsOf(schema).length === 0) return undefined;
  const open = clone(schema, request);
  return clearSecrets(reflect(schema, open)) ? open : undefined;
}

/** The secret fields, and those whose messages have some. */
const secretFieldsOf = planWalk<DescField>((field, reaches) => {
  const isMessage = field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message");
  return isSecret(field) || (isMessage && reaches(field.message)) ? field : undefined;
});

function isSecret(field: DescField): boolean {
  return field.proto.options?.debugRedact === true;
}

/** Clears the secret fields of a message and of its nested messages. Returns whether there were any. */
function clearSecrets(message: ReflectMessage): boolean {
  let had = false;
  for (const field of secretFieldsOf(message.desc)) {
    if (!message.isSet(field)) continue;
    if (isSecret(field)) {
      message.clear(field);
      had = true;
    } else if (field.fieldKind === "message") had = clearSecrets(message.get(field)) || had;
    else if (field.fieldKind === "list" && field.listKind === "message")
      for (const one of message.get(field)) had = clearSecrets(one as ReflectMessage) || had; // a list of messages has messages
  }
  return had;
}

/**
 * Whether a method does the work of one key once. A read needs no key, a stream has no response to store, and other
 * methods ignore it where the contract says so.
 */
export function takesIdempotencyKey(method: DescMethod): boolean {
  return (
    method.methodKind === "unary" &&
    method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS &&
    !getOption(method, method_rules).ignoresIdempotencyKey
  );
}

/** Whether a call may be retried when its result is unknown. */
export function isSafeToRetry(method: DescMethod, headers: CallHeaders): boolean {
  if (method.methodKind !== "unary") return false;
  if (method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return true;
  return method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT && headers.get(idempotencyKeyHeader) !== null;
}
