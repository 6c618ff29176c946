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
 * Returns what encodes a decision for the statement's parameter, given the columns of its row. This happens before a
 * decision waits, so that a value that JSON cannot hold is its caller's error.
 *
 * The row is written column by column, because an object that is made with the names of the statement has its
 * properties in a hash table, which took half of all the encoding.
 */
export function createDecisionEncoder(columns: readonly string[]): (decision: Decision) => string {
  const names = columns.map((column) => [column, `,${JSON.stringify(`row_${column}`)}:`] as const);
  return (decision) => {
    let text = encodeAllButRow(decision).slice(0, -1);
    for (const [column, name] of names) {
      const value = decision.row[column];
      // A column that is left out is null, and is not parsed.
      if (value !== undefined && value !== null) text += name + JSON.stringify(value);
    }
    return `${text}}`;
  };
}

function encodeAllButRow({ id, expected, event, message, key, response, inbox, audit }: Decision): string {
  return JSON.stringify({
    id,
    expected,
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
