import { type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import type { CancelSignal } from "@rialto/async";
import type { Envelope } from "../event/envelope.ts";
import { assertTopics } from "../event/topics.ts";

const attemptsMaxDefault = 8;
const concurrencyMaxDefault = 32;
const namePattern = /^[a-z][a-z0-9-]{0,49}$/;

/** An event as its handler receives it. */
export interface Event<M> {
  /** The same on every delivery: the key of the handler's effects. */
  readonly id: string;
  readonly topic: string;
  readonly subject: string;
  readonly version: number;
  readonly time: Date;
  readonly traceparent: string;
  readonly payload: M;
}

/** The primary key of the inbox row that says that an event had its effect in a subscription. */
export interface InboxKey {
  readonly subscription: string;
  readonly eventId: string;
}

/**
 * Handles an event. It may run twice for the same event, because the process may die in between, so its effects are
 * keyed by the event's id; a commit that it makes writes the inbox row `inbox` too. When it has returned, the row is
 * written if it is not there: a handler that knows that its own commit wrote it returns INBOX_WRITTEN, which saves
 * that statement. The signal aborts after the handler's timeout, or when the process stops.
 */
export interface Handler<D extends DescMessage> {
  // No method: TypeScript would let one pass that needs more of its signal than it gets.
  readonly handle: (
    event: Event<MessageShape<D>>,
    inbox: InboxKey,
    signal: CancelSignal,
  ) => Promise<void> | Promise<Handled>;
}

/**
 * A handler that takes longer than `afterMs` leaves its batch: its event becomes pending, and neither the job nor the
 * slots of `concurrencyMax` wait for it. So what some events wait for does not hold up others. At most `max` handlers
 * of one process do so at a time. A process that dies leaves their events to their leases of 10 s. Events of one
 * subject are then handled at the same time, where the first of them is slow.
 */
export interface SlowHandlers {
  readonly afterMs: number;
  readonly max: number;
}

/** What a handler says of the inbox row of its event; undefined where it does not know. */
export type Handled = "INBOX_WRITTEN" | undefined;

export interface SubscriptionOptions {
  /** Failures of an event before it is a dead letter. Outages do not count. */
  readonly attemptsMax?: number;
  /** Handlers that run at a time in one process. */
  readonly concurrencyMax?: number;
  /** Lets slow handlers leave their batch. Without it a job ends with its slowest handler. */
  readonly slow?: SlowHandlers;
  /**
   * Topics that earlier versions asked for, as they wrote them. They are taken out of the registration. No later
   * version may ask for one of them again: a replica of this version that starts beside it would take it away.
   */
  readonly formerTopics?: readonly string[];
  /**
   * The topics whose events still come by the former ones and have no effect: each by its name, as a wildcard would
   * ignore a topic of a later version too, which is that version's to handle.
   */
  readonly ignoredTopics?: readonly string[];
}

/** A subscription that decodes its payloads itself, so that its message type does not show in its own type. */
export interface Subscription {
  readonly name: string;
  readonly topics: readonly string[];
  readonly formerTopics: readonly string[];
  readonly ignoredTopics: readonly string[];
  readonly attemptsMax: number;
  readonly concurrencyMax: number;
  readonly slow: SlowHandlers | undefined;
  handle(envelope: Envelope, inbox: InboxKey, signal: CancelSignal): Promise<Handled>;
}

/**
 * Describes a subscription. Its name is a purpose ("checkout", "order-mail"), unique in the system. It is the name of
 * its queue, and the key of its inbox rows and log lines.
 *
 *     subscribe("reviewable-orders", "order.delivered", OrderEventSchema, {
 *       async handle(event, inbox, signal) { ... },
 *     });
 */
export function subscribe<D extends DescMessage>(
  name: string,
  topics: string | readonly string[],
  schema: D,
  handler: Handler<D>,
  o: SubscriptionOptions = {},
): Subscription {
  if (!namePattern.test(name)) throw new Error(`"${name}" is not a valid name for a subscription`);
  const list = typeof topics === "string" ? [topics] : [...topics];
  assertTopics(list);
  const formerTopics = o.formerTopics ?? [];
  const again = list.find((topic) => formerTopics.includes(topic));
  if (again !== undefined) throw new Error(`The subscription "${name}" asks for "${again}", a former topic of its own`);
  const open = ({ payload, json: _, ...rest }: Envelope): Event<MessageShape<D>> => ({
    ...rest,
    payload: fromJson(schema, payload, { ignoreUnknownFields: true }),
  });
  return {
    name,
    topics: list,
    formerTopics,
    ignoredTopics: o.ignoredTopics ?? [],
    attemptsMax: o.attemptsMax ?? attemptsMaxDefault,
    concurrencyMax: o.concurrencyMax ?? concurrencyMaxDefault,
    slow: o.slow,
    handle: async (envelope, inbox, signal) => (await handler.handle(open(envelope), inbox, signal)) ?? undefined,
  };
}
