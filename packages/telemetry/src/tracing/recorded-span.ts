import {
  type HrTime,
  type Link,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { ownBeginning } from "../own-text.ts";
import { spanNames } from "../semantic-names.ts";
import { type Kind, newSpanId, newTraceId, parseTraceparent, type TraceParent, traceparentOf } from "../trace.ts";
import { sharedSpan } from "./shared-span.ts";
import { type Attributes, type RecordedSpan, runAs, type SpanStart } from "./span.ts";

// The SDK exports these spans and does not make them: its tracer asks a sampler again, checks the ids that we made and
// copies the attributes twice, which is three quarters of the price of a span.

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<Kind, SpanKind>;

/** The bounds of what one span may hold. What is over them is left out and counted; of links the oldest are. */
const valueCharsMax = 2_048;
const attributesMax = 32;
const linksMax = 128;

/** What makes the spans of a service. */
export interface SpanSource extends Pick<ReadableSpan, "resource" | "instrumentationScope"> {
  /** Get each span when it has ended. */
  readonly processors: readonly Pick<SpanProcessor, "onEnd">[];
  /** In milliseconds since 1970. */
  readonly now: () => number;
}

/** What is known of a span that is exported after its work was done. */
interface Past {
  readonly ids: Pick<TraceParent, "traceId" | "spanId">;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
}

/** Starts a span of a service. `parent` is where the trace is continued. */
export function startSpan(
  source: SpanSource,
  name: string,
  parent: TraceParent | undefined,
  start: SpanStart,
  past?: Past,
): RecordedSpan {
  return new Recorded(source, name, parent, start, past);
}

const unset: SpanStatus = { code: SpanStatusCode.UNSET };
const failed: SpanStatus = { code: SpanStatusCode.ERROR };
const noLinks: readonly TraceParent[] = [];
const noEvents: ReadableSpan["events"] = [];

class Recorded implements RecordedSpan, ReadableSpan {
  readonly isSampled = true;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanContext?: SpanContext;
  name: string;
  readonly kind: SpanKind;
  readonly attributes: Record<string, string | number | boolean> = {};
  readonly links: Link[] = [];
  readonly events = noEvents;
  status = unset;
  ended = false;
  droppedAttributesCount = 0;
  droppedLinksCount = 0;
  readonly droppedEventsCount = 0;
  readonly #source: SpanSource;
  readonly #startedAt: number;
  #endedAt = 0;
  #attributesCount = 0;

  constructor(
    source: SpanSource,
    name: string,
    parent: TraceParent | undefined,
    { kind = "internal", attributes, links = noLinks }: SpanStart,
    past: Past | undefined,
  ) {
    this.#source = source;
    this.#startedAt = past?.startedAt ?? source.now();
    this.traceId = parent?.traceId ?? past?.ids.traceId ?? newTraceId();
    this.spanId = past?.ids.spanId ?? newSpanId();
    if (parent !== undefined) this.parentSpanContext = contextOf(parent);
    this.name = name;
    this.kind = kinds[kind];
    if (attributes !== undefined) this.set(attributes);
    for (const to of links) this.link(to);
  }

  get traceparent(): string {
    return traceparentOf(this);
  }

  spanContext(): SpanContext {
    return contextOf(this);
  }

  get resource(): ReadableSpan["resource"] {
    return this.#source.resource;
  }

  get instrumentationScope(): ReadableSpan["instrumentationScope"] {
    return this.#source.instrumentationScope;
  }

  get startTime(): HrTime {
    return hrTime(this.#startedAt);
  }

  get endTime(): HrTime {
    return hrTime(this.#endedAt);
  }

  get duration(): HrTime {
    return hrTime(this.#endedAt - this.#startedAt);
  }

  rename(name: string): void {
    if (!this.ended) this.name = name;
  }

  set(attributes: Attributes): void {
    for (const name in attributes) {
      const value = attributes[name];
      if (value !== undefined) this.#setOne(name, value);
    }
  }

  #setOne(name: string, value: string | number | boolean): void {
    // What ended may be on its way out already.
    if (this.ended) return;
    if (!Object.hasOwn(this.attributes, name)) {
      if (this.#attributesCount >= attributesMax) {
        this.droppedAttributesCount += 1;
        return;
      }
      this.#attributesCount += 1;
    }
    const isLong = typeof value === "string" && value.length > valueCharsMax;
    this.attributes[name] = isLong ? ownBeginning(value, valueCharsMax) : value;
  }

  fail(errorType: string): void {
    if (this.ended) return;
    this.#setOne(spanNames.errorType, errorType);
    this.status = failed;
  }

  link(to: TraceParent): void {
    if (this.ended) return;
    if (this.links.length >= linksMax) {
      this.links.shift();
      this.droppedLinksCount += 1;
    }
    this.links.push({ context: contextOf(to) });
  }

  child(name: string, start: SpanStart = {}): RecordedSpan {
    return new Recorded(this.#source, name, this, start, undefined);
  }

  inTrace(traceparent: string, name: string, start: SpanStart = {}): RecordedSpan | undefined {
    const parent = parseTraceparent(traceparent);
    if (parent?.isSampled !== true) return undefined;
    return startSpan(this.#source, name, parent, { ...start, links: [this, ...(start.links ?? noLinks)] });
  }

  run<T>(work: () => T): T {
    return runAs(this, work);
  }

  end(): void {
    if (this.ended) return;
    // A clock that was set back meanwhile.
    this.#endedAt = Math.max(this.#source.now(), this.#startedAt);
    this.ended = true;
    for (const processor of this.#source.processors) processor.onEnd(this);
  }

  linkedTo(others: readonly RecordedSpan[]): RecordedSpan {
    return sharedSpan(this, others);
  }
}

function contextOf({ traceId, spanId, isSampled }: TraceParent): SpanContext {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

const msPerSecond = 1_000;
const nsPerMs = 1_000_000;

/** Seconds, and the nanoseconds beside them. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / msPerSecond);
  const nanoseconds = Math.round((ms - seconds * msPerSecond) * nsPerMs);
  return nanoseconds < msPerSecond * nsPerMs ? [seconds, nanoseconds] : [seconds + 1, 0];
}
