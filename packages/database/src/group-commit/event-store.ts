import type { CancelSignal } from "@rialto/async";
import type { AuditRecord } from "../audit/entry.ts";
import type { Database } from "../connection/connection.ts";
import { KeyReused } from "../connection/errors.ts";
import type { IdempotencyKey } from "../idempotency.ts";
import type { JsonValue } from "../json.ts";
import { createIds } from "../new-ids.ts";
import type { Decision } from "./decision.ts";
import { createGroupCommit } from "./group-commit.ts";

/** An event in its subject's log: which version of the subject it made, and when. */
export interface LoggedEvent<Event> {
  readonly subjectId: string;
  readonly version: number;
  readonly time: Date;
  readonly event: Event;
}

/** The event that a change answers: its inbox row is committed with it. */
export interface InboxEntry {
  readonly subscription: string;
  readonly eventId: string;
}

/** An event that was decided on one subject, ready to be committed. */
export interface Change<Subject, Event> {
  /** Of the subject: a UUID. */
  readonly id: string;
  /** The subject that it was decided on; undefined for a new one. */
  readonly before: Subject | undefined;
  readonly event: Event;
  readonly time: Date;
  /** Who did it and why, for the log. */
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
  /** Claimed by this commit: the same request finds the stored response from then on. */
  readonly key?: IdempotencyKey | undefined;
  /** The response that is stored with the key. */
  readonly response?: ((after: Subject) => JsonValue) | undefined;
  readonly inbox?: InboxEntry | undefined;
  /**
   * Whether the relay sends the event at once; true by default. Where who commits goes on by itself with what the event
   * leads to, nobody waits for it: the relay finds it by its poll.
   */
  readonly wakes?: ((after: Subject) => boolean) | undefined;
  /** The entry of the audit log; undefined where the change needs none. */
  readonly audit?: ((after: Subject) => AuditRecord | undefined) | undefined;
}

/** How a commit ended. */
export type Committed<Subject> =
  | {
      readonly kind: "COMMITTED";
      readonly after: Subject;
      /** Of the event, as it is published. */
      readonly eventId: string;
    }
  /** The same request was committed before: nothing is written, and this is its response. */
  | { readonly kind: "REPLAY"; readonly response: JsonValue }
  /** Another writer was faster: read the subject again and decide anew. */
  | { readonly kind: "CONFLICT" };

/** Stores subjects as a log of events and, beside it, the row that the log folds to. Nothing else writes either. */
export interface EventStore<Subject, Event> {
  /**
   * Commits the event, the row after it, its message for the outbox, and the key, inbox row and audit entry that belong
   * to it: all of it or nothing. What many callers commit at the same moment travels in one statement. Throws
   * `KeyReused` where the key was used with another request, and what `GroupCommit.commit` throws.
   */
  commit(change: Change<Subject, Event>, o?: { readonly signal?: CancelSignal }): Promise<Committed<Subject>>;
  close(): Promise<void>;
}

/** What the store must know of one kind of subject. */
export interface SubjectMapping<Subject, Event> {
  readonly subjectTable: string;
  /** Column to Postgres type, without id and version. */
  readonly rowColumns: Readonly<Record<string, string>>;
  readonly eventTable: string;
  /** Folds one more event into the subject. Throws where the event cannot follow. */
  apply(before: Subject | undefined, logged: LoggedEvent<Event>): Subject;
  /** The columns of `rowColumns`; int64 as strings. */
  rowOf(subject: Subject): Readonly<Record<string, JsonValue>>;
  /** The event without its kind, which is the log's type. */
  eventToJson(event: Event): JsonValue;
  /** What is published of the event. `after` is the subject after it. */
  messageOf(after: Subject, event: Event): { readonly topic: string; readonly payload: JsonValue };
}

/**
 * Opens the store of one kind of subject, in a schema with an audit log. `onCommitted` is called when there is
 * something to relay at once, with its topics.
 */
export function createEventStore<
  Subject extends { readonly id: string; readonly version: number },
  Event extends { readonly kind: string },
>(
  mapping: SubjectMapping<Subject, Event>,
  o: {
    readonly database: Database;
    readonly onCommitted: (topics: readonly string[]) => void;
    /** Whether the schema has an inbox; true by default. */
    readonly inbox?: boolean;
  },
): EventStore<Subject, Event> {
  const { subjectTable, rowColumns, eventTable } = mapping;
  const commits = createGroupCommit({ ...o, subjectTable, rowColumns, eventTable, audit: true });
  const newEventId = createIds();
  return {
    async commit(change, options) {
      const { decision, after } = decisionOf(mapping, change, newEventId());
      const outcome = await commits.commit(decision, options);
      switch (outcome.kind) {
        case "COMMITTED":
          return { kind: "COMMITTED", after, eventId: decision.event.id };
        case "REPLAY":
          return { kind: "REPLAY", response: outcome.response };
        case "KEY_REUSED":
          throw new KeyReused();
        case "CONFLICT":
          return { kind: "CONFLICT" };
      }
    },
    close: () => commits.close(),
  };
}

/** The change as the group commit takes it, and the subject after it. */
function decisionOf<Subject extends { readonly version: number }, Event extends { readonly kind: string }>(
  mapping: SubjectMapping<Subject, Event>,
  change: Change<Subject, Event>,
  eventId: string,
): { decision: Decision; after: Subject } {
  const { id, before, event, time, actor, reason, traceparent, key, response, inbox, wakes, audit } = change;
  const expected = before?.version ?? 0;
  const after = mapping.apply(before, { subjectId: id, version: expected + 1, time, event });
  const decision: Decision = {
    id,
    expected,
    row: mapping.rowOf(after),
    event: {
      id: eventId,
      type: event.kind,
      payload: mapping.eventToJson(event),
      actor,
      reason,
      traceparent,
      time: time.toISOString(),
    },
    message: mapping.messageOf(after, event),
    wakes: wakes?.(after),
    key,
    response: key && response?.(after),
    inbox,
    audit: audit?.(after),
  };
  return { decision, after };
}
