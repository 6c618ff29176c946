import { type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import type { Transaction } from "@rialto/database";
import type { Envelope } from "../event/envelope.ts";
import { assertTopics } from "../event/topics.ts";

const attemptsMaxDefault = 8;
const concurrencyMaxDefault = 32;
const namePattern = /^[a-z][a-z0-9-]{0,49}$/;

/** An event as a handler gets it. */
export interface Event<M> {
  /** The same on every delivery: what a handler's effects are keyed by. */
  readonly id: string;
  readonly topic: string;
  readonly subject: string;
  readonly version: number;
  readonly time: Date;
  readonly traceparent: string;
  readonly payload: M;
}

/** Which event of which subscription: the row that says it has had its effect. */
export interface InboxKey {
  readonly subscription: string;
  readonly eventId: string;
}

/**
 * What a subscriber does with an event, in one of two forms.
 *
 * `inTransaction` touches the subscriber's database only: many events share a transaction, each behind a savepoint,
 * with its inbox row.
 *
 * `withEffect` calls others. It may run twice for an event (the process died in the middle), so its effects are keyed
 * by the event's id; a decision that it commits takes `inbox` along. When it has returned, the runtime sees to it that
 * the inbox row is there. The signal is aborted when it has had its time, or when the process stops.
 */
export type Handler<D extends DescMessage> =
  | { inTransaction(event: Event<MessageShape<D>>, tx: Transaction): Promise<void> }
  | { withEffect(event: Event<MessageShape<D>>, inbox: InboxKey, signal: AbortSignal): Promise<void> };

export interface SubscriptionOptions {
  /**
   * Events of a subject one after another by their version, each once the one before has had its effect. An early one
   * waits, one that fails holds up its own subject. Needs all topics of a publisher ("order.*"): a version that never
   * comes would hold up its subject for ever.
   */
  readonly ordered?: boolean;
  /** Failures of an event's own before it is a dead letter. Outages are not counted. */
  readonly attemptsMax?: number;
  /** Handlers with an effect that run at a time in one process. */
  readonly concurrencyMax?: number;
}

/** A subscription whose message type is settled: it opens the payload itself. */
export interface Subscription {
  readonly name: string;
  readonly topics: readonly string[];
  readonly ordered: boolean;
  readonly attemptsMax: number;
  readonly concurrencyMax: number;
  readonly consume:
    | { readonly kind: "transaction"; run(envelope: Envelope, tx: Transaction): Promise<void> }
    | { readonly kind: "effect"; run(envelope: Envelope, inbox: InboxKey, signal: AbortSignal): Promise<void> };
}

/**
 * Describes a subscription. Its name is a purpose ("checkout", "order-mail"), unique in the system: the queue, the
 * inbox and the log are named by it.
 *
 *     subscribe("stock-watch", "product.*", ProductEventSchema, {
 *       async inTransaction(event, tx) { await tx`update ...`; },
 *     });
 */
export function subscribe<D extends DescMessage>(
  name: string,
  topics: string | readonly string[],
  schema: D,
  handler: Handler<D>,
  o: SubscriptionOptions = {},
): Subscription {
  if (!namePattern.test(name)) throw new Error(`"${name}" is no name for a subscription`);
  const list = typeof topics === "string" ? [topics] : [...topics];
  assertTopics(list);
  const ordered = o.ordered ?? false;
  if (ordered && list.some((topic) => !topic.endsWith(".*"))) {
    throw new Error(`"${name}" asks for order: it needs every topic of its publishers`);
  }
  const open = ({ payload, json: _, ...rest }: Envelope): Event<MessageShape<D>> => ({
    ...rest,
    payload: fromJson(schema, payload, { ignoreUnknownFields: true }),
  });
  return {
    name,
    topics: list,
    ordered,
    attemptsMax: o.attemptsMax ?? attemptsMaxDefault,
    concurrencyMax: o.concurrencyMax ?? concurrencyMaxDefault,
    consume:
      "inTransaction" in handler
        ? { kind: "transaction", run: async (envelope, tx) => await handler.inTransaction(open(envelope), tx) }
        : {
            kind: "effect",
            run: async (envelope, inbox, signal) => await handler.withEffect(open(envelope), inbox, signal),
          },
  };
}
