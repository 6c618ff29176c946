import { AsyncLocalStorage } from "node:async_hooks";
import type { Kind, Trace, TraceParent } from "../trace.ts";

/** The value of an attribute. Attributes with an undefined value are left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

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
  /**
   * Starts a span of what this one's work does for another trace, whose `traceparent` came with it, linked to this
   * span; undefined where that trace is not recorded.
   */
  inTrace(traceparent: string, name: string, start?: SpanStart): RecordedSpan | undefined;
  /** The same span, whose children are linked to these as well. */
  linkedTo(others: readonly RecordedSpan[]): RecordedSpan;
  /** Runs work whose `currentSpan` is this span. */
  run<T>(work: () => T): T;
  end(): void;
}

/** It has no state of its own: Node keeps one value for each chain of calls, only where `run` has set one. */
const current = new AsyncLocalStorage<RecordedSpan | undefined>();

/** Runs work whose `currentSpan` is this span. */
export function runAs<T>(span: RecordedSpan, work: () => T): T {
  return current.run(span, work);
}

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
  if (first === undefined) return runUnrecorded(work);
  if (others.length === 0) return first.run(work);
  return first.linkedTo(others).run(work);
}

/**
 * Runs work whose trace is not recorded inside of work that is, such as one event of a job that has recorded ones too:
 * outside of any span, or what it does would be recorded as that of the others.
 */
export function runUnrecorded<T>(work: () => T): T {
  return current.getStore() === undefined ? work() : current.run(undefined, work);
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
