import type { JsonValue } from "@bufbuild/protobuf";
import type { Transaction } from "@rialto/database";

/** An event that a service publishes. */
export interface Publication {
  /** The event's id (UUIDv7), the same on every delivery. */
  readonly id: string;
  /** "order.confirmed": the first word is the publishing service. */
  readonly topic: string;
  /** The id of the entity that changed, and its version after the change. Versions of a subject have no gaps. */
  readonly subject: string;
  readonly version: number;
  readonly time: Date;
  readonly traceparent: string;
  /** The event message in proto3 JSON. No personal data: every service that runs jobs can read the queue. */
  readonly payload: JsonValue;
}

/**
 * Writes an event to the outbox of the transaction's schema. It is sent if, and only if, the transaction commits.
 * Throws for a topic that the service does not declare.
 */
export async function publish(tx: Transaction, event: Publication): Promise<void> {
  tx.requireTopic?.(event.topic);
  await tx`
    insert into outbox (event_id, topic, subject, version, time, traceparent, payload)
    values (${event.id}, ${event.topic}, ${event.subject}, ${event.version}, ${event.time}, ${event.traceparent},
      ${JSON.stringify(event.payload)}::text::jsonb)`;
}
