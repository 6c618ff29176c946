import {
  type Link,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { spanNames } from "../semantic-names.ts";
import { type Kind, parseTraceparent, type TraceParent, traceparentOf } from "../trace.ts";
import { type Attributes, type RecordedSpan, runAs, type SpanStart } from "./span.ts";

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<Kind, SpanKind>;

/** What makes the spans of a service. */
export interface SpanSource {
  readonly tracer: Tracer;
  /** In milliseconds since 1970. */
  readonly now: () => number;
}

/** Starts a span of a service. `parent` is where the trace is continued. */
export function startSpan(
  source: SpanSource,
  name: string,
  parent: TraceParent | undefined,
  { kind = "internal", attributes, links = [] }: SpanStart,
  startTime = source.now(),
): RecordedSpan {
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
  const span = source.tracer.startSpan(
    name,
    {
      kind: kinds[kind],
      startTime,
      ...(attributes === undefined ? {} : { attributes: known(attributes) }),
      ...(links.length === 0 ? {} : { links: links.map(linkTo) }),
    },
    context,
  );
  return new Recorded(source, span, []);
}

class Recorded implements RecordedSpan {
  readonly isSampled = true;
  readonly #source: SpanSource;
  readonly #span: OtelSpan;
  /** Spans that its children are linked to. */
  readonly #besides: readonly RecordedSpan[];

  constructor(source: SpanSource, span: OtelSpan, besides: readonly RecordedSpan[]) {
    this.#source = source;
    this.#span = span;
    this.#besides = besides;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  get traceparent(): string {
    return traceparentOf(this);
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(known(attributes));
  }

  fail(errorType: string): void {
    this.#span.setAttribute(spanNames.errorType, errorType);
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  link(to: TraceParent): void {
    this.#span.addLink(linkTo(to));
  }

  child(name: string, start: SpanStart = {}): RecordedSpan {
    const links = this.#besides.length === 0 ? start.links : [...this.#besides, ...(start.links ?? [])];
    return startSpan(this.#source, name, this, links === undefined ? start : { ...start, links });
  }

  inTrace(traceparent: string, name: string, start: SpanStart = {}): RecordedSpan | undefined {
    const parent = parseTraceparent(traceparent);
    if (parent?.isSampled !== true) return undefined;
    return startSpan(this.#source, name, parent, { ...start, links: [this, ...(start.links ?? [])] });
  }

  run<T>(work: () => T): T {
    return runAs(this, work);
  }

  end(): void {
    this.#span.end(this.#source.now());
  }

  linkedTo(others: readonly RecordedSpan[]): RecordedSpan {
    return new Recorded(this.#source, this.#span, others);
  }
}

function linkTo(to: TraceParent): Link {
  return { context: contextOf(to) };
}

function contextOf({ traceId, spanId, isSampled }: TraceParent) {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

function known(attributes: Attributes): Record<string, string | number | boolean> {
  const all: Record<string, string | number | boolean> = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined) all[name] = value;
  }
  return all;
}
