import type { AuditChange, AuditRecord } from "@rialto/database";
import { callerName } from "../identity/caller.ts";
import type { CallContext } from "./context.ts";

/**
 * Returns the audit record of a change that a call makes; undefined where the caller is no admin. Changes by customers
 * and services are in the logs of orders and payments.
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
 * Returns the fields that a change set, with their values before and after. `fields` has a reader for each field, by
 * its name in the contract. Of a field with personal data, given as `personal`, only the name is recorded.
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
    return isPersonal ? [{ field }] : [{ field, ...valueAt("before", old), ...valueAt("after", now) }];
  });
}

function valueAt(name: "before" | "after", value: Value) {
  return value === undefined ? {} : { [name]: String(value) };
}
