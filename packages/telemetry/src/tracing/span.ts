import { AsyncLocalStorage } from "node:async_hooks";
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
import { type Trace, type TraceParent, traceparentOf } from "../trace.ts";

/** The value of an attribute. Attributes with an undefined value are left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export type Kind = "server" | "client" | "producer" | "consumer" | "internal";

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<Kind, SpanKind>;

/** What a span is told when it starts. */
export interface SpanStart {
  readonly kind?: Kind;
  readonly attributes?: Attributes;
  readonly links?: readonly TraceParent[];
}

/**
 * A span that is recorded. Where a trace is not recorded there is none, and nothing is made in place of it: every seam
 * asks for the span, and does without it.
 */
export interface RecordedSpan extends Trace {
  /** Renames it, where its final name is known late. */
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** Marks it as failed, by a word from a short list: a code, a reason, a SQLSTATE. */
  fail(errorType: string): void;
  link(to: TraceParent): void;
  /** Starts a span of work that this one's work does. */
  child(name: string, start?: SpanStart): RecordedSpan;
  /** Runs work whose `currentSpan` is this span. */
  run<T>(work: () => T): T;
  end(): void;
}

/** It has no state of its own: Node keeps one value for each chain of calls, only where `run` has set one. */
const current = new AsyncLocalStorage<RecordedSpan | undefined>();

/** The span of the work that runs now; undefined where none is recorded. */
export function currentSpan(): RecordedSpan | undefined {
  return current.getStore();
}

/**
 * Runs work that is done for the work of several spans at once: what it starts is a child of the first, and linked to
 * the others. Without spans it runs outside of any: what collects the work of many callers would else run as that of
 * whichever came first.
 */
export function runForAll<T>(spans: readonly RecordedSpan[], work: () => T): T {
  const [first, ...others] = spans;
  if (first === undefined) return current.getStore() === undefined ? work() : current.run(undefined, work);
  if (others.length === 0) return first.run(work);
  return first instanceof Recorded ? first.linkedTo(others).run(work) : first.run(work);
}

/** Runs work as that of a span, which ends with it, and has failed where the work throws. */
export async function runSpan<T>(span: RecordedSpan, work: () => Promise<T>): Promise<T> {
  try {
    return await span.run(work);
  } catch (error) {
    span.fail(errorWord(error));
    throw error;
  } finally {
    span.end();
  }
}

/**
 * What is written of an error in a span: the reason of a refusal, a code, or the name of its class. All are of short
 * lists. Never its message, in which there may be anything.
 */
export function errorWord(error: unknown): string {
  if (typeof error !== "object" || error === null) return "unknown";
  for (const field of ["reason", "code"]) {
    const word: unknown = Reflect.get(error, field);
    if (typeof word === "string" && /^\w{1,64}$/.test(word)) return word;
  }
  return error instanceof Error ? error.name : "unknown";
}

/** Starts a span as the tracer of a service does. `parent` is where the trace is continued. */
export function startSpan(
  tracer: Tracer,
  name: string,
  parent: TraceParent | undefined,
  { kind = "internal", attributes, links = [] }: SpanStart,
  startTime?: number,
): RecordedSpan {
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
  const span = tracer.startSpan(
    name,
    {
      kind: kinds[kind],
      ...(attributes === undefined ? {} : { attributes: known(attributes) }),
      ...(links.length === 0 ? {} : { links: links.map(linkTo) }),
      ...(startTime === undefined ? {} : { startTime }),
    },
    context,
  );
  return new Recorded(tracer, span, []);
}

class Recorded implements RecordedSpan {
  readonly isSampled = true;
  readonly #tracer: Tracer;
  readonly #span: OtelSpan;
  /** Spans that its children are linked to. */
  readonly #besides: readonly RecordedSpan[];

  constructor(tracer: Tracer, span: OtelSpan, besides: readonly RecordedSpan[]) {
    this.#tracer = tracer;
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
    return startSpan(this.#tracer, name, this, links === undefined ? start : { ...start, links });
  }

  run<T>(work: () => T): T {
    return current.run(this, work);
  }

  end(): void {
    this.#span.end();
  }

  /** The same span, whose children are linked to these as well. */
  linkedTo(others: readonly RecordedSpan[]): RecordedSpan {
    return new Recorded(this.#tracer, this.#span, others);
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
