import type { TraceParent } from "../trace.ts";
import { type Attributes, type RecordedSpan, runAs, type SpanStart } from "./span.ts";

/** Returns a span whose work is done for others too: the same one, whose children are linked to these as well. */
export function sharedSpan(span: RecordedSpan, others: readonly RecordedSpan[]): RecordedSpan {
  return new Shared(span, others);
}

class Shared implements RecordedSpan {
  readonly isSampled = true;
  readonly traceId: string;
  readonly spanId: string;
  readonly #span: RecordedSpan;
  readonly #others: readonly RecordedSpan[];

  constructor(span: RecordedSpan, others: readonly RecordedSpan[]) {
    this.traceId = span.traceId;
    this.spanId = span.spanId;
    this.#span = span;
    this.#others = others;
  }

  get traceparent(): string {
    return this.#span.traceparent;
  }

  rename(name: string): void {
    this.#span.rename(name);
  }

  set(attributes: Attributes): void {
    this.#span.set(attributes);
  }

  fail(errorType: string): void {
    this.#span.fail(errorType);
  }

  link(to: TraceParent): void {
    this.#span.link(to);
  }

  child(name: string, start: SpanStart = {}): RecordedSpan {
    const links = start.links === undefined ? this.#others : [...this.#others, ...start.links];
    return this.#span.child(name, { ...start, links });
  }

  inTrace(traceparent: string, name: string, start?: SpanStart): RecordedSpan | undefined {
    return this.#span.inTrace(traceparent, name, start);
  }

  run<T>(work: () => T): T {
    return runAs(this, work);
  }

  end(): void {
    this.#span.end();
  }

  linkedTo(others: readonly RecordedSpan[]): RecordedSpan {
    return new Shared(this.#span, others);
  }
}
