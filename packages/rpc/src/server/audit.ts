import type { AuditChange, AuditRecord } from "@rialto/database";
import { callerName } from "../identity/caller.ts";
import type { CallContext } from "./context.ts";

/**
 * What the audit log is to say of a change that a call makes: undefined where no admin makes it. What customers do to what is theirs, and what services do,
 * stands in the logs of orders and payments.
 */
export function auditOf(
  ctx: Pick<CallContext, "caller" | "method" | "requestId" | "clientAddress">,
  { subject, changes }: Pick<AuditRecord, "subject" | "changes">,
): AuditRecord | undefined {
  const { caller, method, requestId, clientAddress } = ctx;
  if (caller.kind !== "user" || caller.role !== "ADMIN") return undefined;
  return { actor: callerName(caller), method, subject, changes, requestId, clientAddress };
}

type Value = string | number | bigint | boolean | undefined;

/**
 * Which fields a change set, with their values before and after. `fields` names them as the contract does, each with how to read it. A field that holds
 * text of people is given as `personal`: that it changed is said, its values are not.
 */
export function auditChanges<T>(
  before: T | undefined,
  after: T,
  fields: Readonly<Record<string, ((of: T) => Value) | { readonly personal: (of: T) => Value }>>,
): readonly AuditChange[] {
  return Object.entries(fields).flatMap(([field, reader]) => {
    const isPersonal = typeof reader !== "function";
    const read = isPersonal ? reader.personal : reader;
    const [old, now] = [before === undefined ? undefined : read(before), read(after)];
    if (old === now) return [];
    return isPersonal ? [{ field }] : [{ field, ...said("before", old), ...said("after", now) }];
  });
}

function said(name: "before" | "after", value: Value) {
  return value === undefined ? {} : { [name]: String(value) };
}
