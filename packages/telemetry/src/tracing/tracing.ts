import { AlwaysOnSampler, type SpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { type ProcessFacts, resourceOf } from "../resource.ts";
import { rialtoNames } from "../semantic-names.ts";
import { type Kind, newSpanId, newTraceId, parseTraceparent, saysSampled, type Trace } from "../trace.ts";
import { createPreciseClock } from "./precise-clock.ts";
import { type SpanSource, startSpan } from "./recorded-span.ts";
import type { Attributes, RecordedSpan, SpanStart } from "./span.ts";

/** What makes the spans of one service, or of the gateway, that continue what others began. */
export interface Tracing {
  /** Decides whether a trace that begins here is recorded. */
  readonly sample: () => boolean;
  /**
   * Starts the span of work that somebody else asked for, where its trace is recorded; else returns undefined.
   * `traceparent` is the header that came with it. `start` is asked only where it is: most traces are not recorded, and
   * what each of their calls made in vain would cost more than the spans of the others.
   */
  begin(name: string, o: Continued): RecordedSpan | undefined;
  /** Starts a trace that is recorded whatever the ratio: that of work that is done for recorded traces together. */
  beginTrace(name: string, start: SpanStart): RecordedSpan;
  /**
   * Exports one span of a trace that was not sampled: that of work that failed, marked as such. Returns false where so
   * many failed in this second that it is not exported: an outage must not cost more than what it breaks.
   */
  recordFailure(failed: FailedWork): boolean;
}

interface Continued {
  readonly traceparent: string | undefined;
  /** False where the header comes from outside. */
  readonly isTrusted?: boolean;
  readonly start?: () => SpanStart;
}

/** Work that is over, whose trace is not recorded. */
export interface FailedWork {
  readonly name: string;
  readonly kind: Kind;
  /** Its own position, which its log line has. */
  readonly trace: Trace;
  /** The header that came with it. */
  readonly traceparent: string | undefined;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  readonly attributes: Attributes;
  /** A word from a short list. */
  readonly errorType: string;
}

/** Failures of unsampled traces of which one service exports the span, in one second. */
const failuresPerSecondMax = 50;
const msPerSecond = 1_000;

/** The bounds of what one span may hold. */
const spanLimits = {
  attributeValueLengthLimit: 2_048,
  attributeCountLimit: 32,
  linkCountLimit: 128,
  eventCountLimit: 16,
} as const;

/**
 * Creates the tracing of one service. `ratio` is the share of the traces that begin here and are recorded. Spans go to
 * the processors, which all services of a process share.
 */
export function createTracing(o: {
  readonly service: string;
  readonly facts: ProcessFacts;
  readonly ratio: number;
  readonly processors: readonly SpanProcessor[];
}): Tracing {
  const { ratio } = o;
  // The ids of a span that is exported after all, while it is started.
  let given: Trace | undefined;
  const provider = new TracerProvider({
    resource: resourceOf(o.service, o.facts),
    // What is not sampled never comes here.
    sampler: new AlwaysOnSampler(),
    spanLimits,
    spanProcessors: [...o.processors],
    idGenerator: {
      generateTraceId: () => given?.traceId ?? newTraceId(),
      generateSpanId: () => given?.spanId ?? newSpanId(),
    },
  });
  const source: SpanSource = { tracer: provider.getTracer("rialto"), now: createPreciseClock() };
  let second = 0;
  let failures = 0;
  const mayRecordFailure = () => {
    const now = Math.floor(Date.now() / msPerSecond);
    if (now !== second) failures = 0;
    second = now;
    failures += 1;
    return failures <= failuresPerSecondMax;
  };
  const sample = () => ratio > 0 && (ratio >= 1 || Math.random() < ratio);

  return {
    sample,
    begin(name, { traceparent, isTrusted = true, start }) {
      const isSampled = (isTrusted ? saysSampled(traceparent) : undefined) ?? sample();
      return isSampled ? startSpan(source, name, parseTraceparent(traceparent), start?.() ?? {}) : undefined;
    },
    beginTrace: (name, start) => startSpan(source, name, undefined, start),
    recordFailure({ name, kind, trace, traceparent, startedAt, attributes, errorType }) {
      if (!mayRecordFailure()) return false;
      given = trace;
      try {
        const parent = parseTraceparent(traceparent);
        const marked = { ...attributes, [rialtoNames.sampledBy]: "failure" };
        const span = startSpan(source, name, parent, { kind, attributes: marked }, startedAt);
        span.fail(errorType);
        span.end();
        return true;
      } finally {
        given = undefined;
      }
    },
  };
}
