import {
  type Attributes,
  continueTrace,
  errorWord,
  messagingNames,
  messagingOperations,
  messagingSystem,
  type RecordedSpan,
  type SpanStart,
  saysSampled,
  subjectName,
  type Tracing,
} from "@rialto/telemetry";
import type { Envelope } from "./envelope.ts";

// The spans of events, by OpenTelemetry's conventions for messaging. An event has a "send" span when the relay enqueues
// it, in the trace of the work that published it; each subscription that handles it has a "process" span below that. A
// job carries events of many traces: its "receive" span is in a trace of its own, and linked to each "process" span.

/** The parts of an event that its spans name. */
type EventFacts = Pick<Envelope, "id" | "topic" | "subject" | "traceparent">;

/** An event as it is enqueued. */
export interface SentEvent {
  readonly topic: string;
  readonly [field: string]: unknown;
}

/** Events that are being enqueued. */
export interface Sending<E> {
  /** As they are enqueued: those whose trace is recorded name their "send" span. */
  readonly events: readonly E[];
  /** Ends the spans. */
  end(error?: unknown): void;
}

/** Begins to enqueue events. */
export function beginSending<E extends SentEvent>(tracing: Tracing | undefined, events: readonly E[]): Sending<E> {
  if (tracing === undefined) return { events, end: () => undefined };
  const spans: RecordedSpan[] = [];
  const sent = events.map((event) => {
    const span = tracing.begin(`send ${event.topic}`, {
      traceparent: textOf(event.traceparent),
      start: () => sendStart(event, events.length),
    });
    if (span === undefined) return event;
    spans.push(span);
    return { ...event, traceparent: span.traceparent };
  });
  return {
    events: sent,
    end(error) {
      for (const span of spans) {
        if (error !== undefined) span.fail(errorWord(error));
        span.end();
      }
    },
  };
}

function sendStart({ id, topic, subject }: SentEvent, batchSize: number): SpanStart {
  const facts = { id: textOf(id) ?? "", topic, subject: textOf(subject) ?? "" };
  return { kind: "producer", attributes: { ...attributesOf(facts, "send"), [messagingNames.batchSize]: batchSize } };
}

/**
 * Begins the span of a job, where the trace of one of its events is recorded. The job of one event is in that trace;
 * the job of many has a trace of its own.
 */
export function beginReceiving(
  tracing: Tracing | undefined,
  subscription: string,
  envelopes: readonly EventFacts[],
): RecordedSpan | undefined {
  if (tracing === undefined) return undefined;
  const name = `receive ${subscription}`;
  const start = () => receiveStart(subscription, envelopes.length);
  const [first] = envelopes;
  if (first !== undefined && envelopes.length === 1)
    return tracing.begin(name, { traceparent: first.traceparent, start });
  const isRecorded = envelopes.some(({ traceparent }) => saysSampled(traceparent) === true);
  return isRecorded ? tracing.beginTrace(name, start()) : undefined;
}

function receiveStart(subscription: string, batchSize: number): SpanStart {
  return {
    kind: "consumer",
    attributes: {
      [messagingNames.system]: messagingSystem,
      [messagingNames.operation]: messagingOperations.receive,
      [messagingNames.operationType]: messagingOperations.receive,
      [messagingNames.subscription]: subscription,
      [messagingNames.batchSize]: batchSize,
    },
  };
}

/** Begins the span of an event that a subscription handles, where its trace is recorded. */
export function beginProcessing(tracing: Tracing, subscription: string, event: EventFacts): RecordedSpan | undefined {
  return tracing.begin(`process ${event.topic}`, {
    traceparent: event.traceparent,
    start: () => ({ kind: "consumer", attributes: processAttributes(subscription, event) }),
  });
}

/**
 * Records that an event failed: in its span, or alone where its trace is not recorded. Returns the id of the span that
 * says so, if one does.
 */
export function failProcessing(
  tracing: Tracing,
  event: EventFacts,
  o: {
    readonly subscription: string;
    readonly span: RecordedSpan | undefined;
    readonly startedAt: number;
    readonly error: unknown;
  },
): string | undefined {
  const errorType = errorWord(o.error);
  if (o.span !== undefined) {
    o.span.fail(errorType);
    return o.span.spanId;
  }
  const trace = continueTrace(event.traceparent);
  const isRecorded = tracing.recordFailure({
    name: `process ${event.topic}`,
    kind: "consumer",
    trace,
    traceparent: event.traceparent,
    startedAt: o.startedAt,
    attributes: processAttributes(o.subscription, event),
    errorType,
  });
  return isRecorded ? trace.spanId : undefined;
}

function processAttributes(subscription: string, event: EventFacts): Attributes {
  return { ...attributesOf(event, "process"), [messagingNames.subscription]: subscription };
}

function attributesOf(
  { id, topic, subject }: Omit<EventFacts, "traceparent">,
  operation: keyof typeof messagingOperations,
): Attributes {
  return {
    [messagingNames.system]: messagingSystem,
    [messagingNames.operation]: messagingOperations[operation],
    [messagingNames.operationType]: messagingOperations[operation],
    [messagingNames.destination]: topic,
    [messagingNames.messageId]: id,
    [subjectName(topic)]: subject,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
