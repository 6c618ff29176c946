import { type AuditRecord, auditColumns } from "../audit/entry.ts";
import { fingerprintsOf, type IdempotencyKey, keptScopesOf, scopesOf } from "../idempotency.ts";
import type { JsonValue } from "../json.ts";

/** What happened to one subject, what is true of it now, and what to answer. */
export interface Decision {
  /** Of the subject: a UUID. */
  readonly id: string;
  /** The version that the decision was made from; 0 creates the subject. It stands at `expected + 1` after. */
  readonly expected: number;
  /** The whole row as it is now, without id and version; int64 as strings. */
  readonly row: Readonly<Record<string, JsonValue>>;
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly payload: JsonValue;
    readonly actor: string;
    readonly reason: string;
    readonly traceparent: string;
    /** ISO 8601. */
    readonly time: string;
  };
  /** Published through the outbox, under the event's id. */
  readonly message?: { readonly topic: string; readonly payload: JsonValue } | undefined;
  readonly key?: IdempotencyKey | undefined;
  /** Stored with the key, and given to whoever sends the same request again. */
  readonly response?: JsonValue | undefined;
  /** The event that this decision answers, marked as consumed in the same commit. */
  readonly inbox?: { readonly subscription: string; readonly eventId: string } | undefined;
  /** What the audit log is to say of it. Its actor is the event's. */
  readonly audit?: AuditRecord | undefined;
}

/** How a decision ended. A row that Postgres refuses is `RowRefused`, thrown. */
export type Outcome =
  | { readonly kind: "COMMITTED"; readonly version: number }
  /** The same request was committed before: nothing is written, the stored answer holds. */
  | { readonly kind: "REPLAY"; readonly response: JsonValue }
  /** The key was used with another request. */
  | { readonly kind: "KEY_REUSED" }
  /** Somebody else moved the subject on, to this version; undefined: there is no such subject. Decide again from what is now. */
  | { readonly kind: "CONFLICT"; readonly version: number | undefined };

/** The key's fields, for the statement and for the one that looks up what became of a decision. */
export function encodeKey(key: IdempotencyKey | undefined) {
  if (key === undefined) return {};
  const { caller, method, fingerprint } = key;
  return { caller, method, key: key.key, fingerprint, scopes: scopesOf(key), fingerprints: fingerprintsOf(key) };
}

/** The decision as the statement's parameter has it: one JSON object, made before it waits, so that what JSON cannot say is its caller's error. */
export function encodeDecision(decision: Decision): string {
  const { id, expected, event, message, key, response, inbox, audit } = decision;
  const row = Object.fromEntries(Object.entries(decision.row).map(([column, value]) => [`row_${column}`, value]));
  return JSON.stringify({
    id,
    expected,
    ...row,
    event_id: event.id,
    event_type: event.type,
    event_payload: event.payload,
    event_actor: event.actor,
    event_reason: event.reason,
    event_traceparent: event.traceparent,
    event_time: event.time,
    topic: message?.topic,
    message: message?.payload,
    ...encodeKey(key),
    kept: key && keptScopesOf(key),
    response,
    subscription: inbox?.subscription,
    consumed_id: inbox?.eventId,
    audit: audit && auditColumns(audit),
  });
}
