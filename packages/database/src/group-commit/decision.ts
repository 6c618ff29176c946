import { type AuditRecord, auditColumns } from "../audit/entry.ts";
import { fingerprintsOf, type IdempotencyKey, keptScopesOf, scopesOf } from "../idempotency.ts";
import type { JsonValue } from "../json.ts";

/** An event of one subject, the row after it, and the answer to store. */
export interface Decision {
  /** The subject's id, a UUID. */
  readonly id: string;
  /** The version that the decision is based on; 0 creates the subject. The commit makes it `expected + 1`. */
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
  /** Whether the relay is told of the message at once; true by default. Else it finds it by its poll. */
  readonly wakes?: boolean | undefined;
  readonly key?: IdempotencyKey | undefined;
  /** Stored with the key, and returned to every repetition of the request. */
  readonly response?: JsonValue | undefined;
  /** The event that this decision answers, marked as consumed in the same commit. */
  readonly inbox?: { readonly subscription: string; readonly eventId: string } | undefined;
  /** Its entry in the audit log. The actor is the event's. */
  readonly audit?: AuditRecord | undefined;
}

/** How a decision ended. A row that Postgres refuses is `RowRefused`, thrown. */
export type Outcome =
  | { readonly kind: "COMMITTED"; readonly version: number }
  /** The same request was committed before: nothing is written, the stored answer holds. */
  | { readonly kind: "REPLAY"; readonly response: JsonValue }
  /** The key was used with another request. */
  | { readonly kind: "KEY_REUSED" }
  /**
   * Another commit moved the subject to this version; undefined if there is no such subject. Decide again on the
   * current one.
   */
  | { readonly kind: "CONFLICT"; readonly version: number | undefined };

/** The key's fields, for the statement and for the one that looks up what became of a decision. */
export function encodeKey(key: IdempotencyKey | undefined) {
  if (key === undefined) return {};
  const { caller, method, fingerprint } = key;
  return { caller, method, key: key.key, fingerprint, scopes: scopesOf(key), fingerprints: fingerprintsOf(key) };
}

/**
 * Encodes the decision for the statement's parameter. This happens before it waits, so that a value that JSON cannot
 * hold is its caller's error.
 */
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
