import { ownBeginning } from "../own-text.ts";
import type { Kind } from "../trace.ts";

/** A span that has ended, as it is kept. Times are in microseconds since 1970. */
export interface KeptSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly service: string;
  readonly kind: Kind | undefined;
  readonly startUs: number;
  readonly endUs: number;
  readonly status: "unset" | "ok" | "error";
  readonly statusMessage: string;
  /** By name. A value that is no text is written as JSON. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly links: readonly SpanRef[];
}

/** Names a span. */
export interface SpanRef {
  readonly traceId: string;
  readonly spanId: string;
}

/** A line of the log that belongs to a trace. */
export interface KeptLine {
  readonly traceId: string;
  /** Undefined where it names none. */
  readonly spanId: string | undefined;
  /** In milliseconds since 1970. */
  readonly timeMs: number;
  readonly level: string;
  readonly message: string;
  readonly service: string;
  /** Its other fields by name. A value that is no text is written as JSON. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A trace as it was when it was read. */
export interface KeptTrace {
  readonly traceId: string;
  /** By their start. */
  readonly spans: readonly KeptSpan[];
  /** By their time. */
  readonly lines: readonly KeptLine[];
  readonly droppedSpans: number;
  readonly droppedLines: number;
  /** The ids of orders and requests that its spans and lines name, in the order in which they came. */
  readonly orderIds: readonly string[];
  readonly requestIds: readonly string[];
}

/** The bounds of what is kept of one span or line. An error's stack is among the fields of its line. */
const itemBounds = { fieldsMax: 48, charsMax: 16_384 } as const;

/** The longest name or message that is kept. */
const textCharsMax = 2_048;

/** The longest level of a line that is kept. */
export const levelCharsMax = 32;

/** The links of one span that are kept. */
export const linksMax = 128;

/** Returns the fields of a span or a line as texts, within their bounds. Those without a value are left out. */
export function textsOf(fields: Iterable<readonly [name: string, value: unknown]>): Record<string, string> {
  const texts: Record<string, string> = {};
  let [count, charsLeft] = [0, itemBounds.charsMax];
  for (const [name, value] of fields) {
    if (value === undefined || value === null) continue;
    charsLeft -= name.length;
    if (count === itemBounds.fieldsMax || charsLeft <= 0) break;
    const text = shortened(typeof value === "string" ? value : JSON.stringify(value), charsLeft);
    count += 1;
    charsLeft -= text.length;
    texts[name] = text;
  }
  return texts;
}

/**
 * Returns a text of this many characters at most, which ends with an ellipsis where it was longer. It holds nothing of
 * the longer one in memory.
 */
export function shortened(text: string, charsMax = textCharsMax): string {
  if (text.length <= charsMax) return text;
  // One text, so that the whole is copied: to add the ellipsis to a copy would make a pair of texts.
  return ownBeginning(`${text.slice(0, charsMax - 1)}…`, charsMax);
}
