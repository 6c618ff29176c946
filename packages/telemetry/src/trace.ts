import { randomUUID } from "node:crypto";
import { ownBeginning } from "./own-text.ts";

/** The position of a piece of work in a W3C trace, and the `traceparent` for the calls that it makes. */
export interface Trace {
  readonly traceId: string;
  readonly spanId: string;
  /** Whether the spans of the trace are recorded. */
  readonly isSampled: boolean;
  readonly traceparent: string;
}

/** What a span is to its caller. */
export type Kind = "server" | "client" | "producer" | "consumer" | "internal";

/** Who decides whether a trace is recorded. */
export interface SamplingChoice {
  /** Decides about a trace that begins here. Without it such a trace is not recorded. */
  readonly sample?: (() => boolean) | undefined;
  /** False where the header comes from outside: it gives the id of the trace, and the decision is made here. */
  readonly isTrusted?: boolean | undefined;
}

/** What a `traceparent` says. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Version, trace id, span id and flags. Later versions may have more behind a hyphen. */
const traceparentForm = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const [traceIdAt, spanIdAt, flagsAt, formChars] = [3, 36, 53, 55];
const [noTraceId, noSpanId] = ["0".repeat(32), "0".repeat(16)];
const spanIdChars = 16;
/** Hexadecimal digits whose lowest bit is set. */
const oddDigits = "13579bdf";

/**
 * Continues the trace of a `traceparent` header with a span of its own, or begins a new trace.
 *
 * A header that is not well-formed by W3C Trace Context (all-zero ids, version `ff`, extra fields in version `00`) is
 * ignored: it never fails a request.
 */
export function continueTrace(traceparent?: string, { sample, isTrusted = true }: SamplingChoice = {}): Trace {
  const parent = parseTraceparent(traceparent);
  if (parent === undefined) return new Position(newTraceId(), true, sample?.() === true);
  return new Position(parent.traceId, false, isTrusted ? parent.isSampled : sample?.() === true);
}

/** One span's position. Its own id is made when it is first read. */
class Position implements Trace {
  readonly traceId: string;
  readonly isSampled: boolean;
  readonly #isFirst: boolean;
  #spanId: string | undefined;

  constructor(traceId: string, isFirst: boolean, isSampled: boolean) {
    this.traceId = traceId;
    this.#isFirst = isFirst;
    this.isSampled = isSampled;
  }

  /** Half of a trace's id is random enough for its first span, which has to differ from the others of this trace. */
  get spanId(): string {
    this.#spanId ??= this.#isFirst ? this.traceId.slice(-spanIdChars) : newSpanId();
    return this.#spanId;
  }

  get traceparent(): string {
    return traceparentOf(this);
  }
}

/** Writes a position as a `traceparent` header. */
export function traceparentOf({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** Reads a `traceparent` header; undefined where there is none or it is not well-formed. */
export function parseTraceparent(given: string | undefined): TraceParent | undefined {
  const text = given === undefined ? undefined : wellFormed(given);
  if (text === undefined) return undefined;
  return {
    traceId: text.slice(traceIdAt, spanIdAt - 1),
    spanId: text.slice(spanIdAt, flagsAt - 1),
    isSampled: hasSampledFlag(text),
  };
}

/**
 * Whether a `traceparent` header says that its trace is recorded; undefined where there is none or it is not
 * well-formed. Nothing is made for the answer: each call and each event asks, and of most it is no.
 */
export function saysSampled(given: string | undefined): boolean | undefined {
  const text = given === undefined ? undefined : wellFormed(given);
  return text === undefined ? undefined : hasSampledFlag(text);
}

/** Returns the header without what surrounds it; undefined where it is not well-formed. */
function wellFormed(given: string): string | undefined {
  const trimmed = given.trim();
  // A later version's may have kilobytes behind it, which the ids would hold as long as their trace is kept.
  const text = trimmed.length > formChars ? ownBeginning(trimmed, formChars + 1) : trimmed;
  if (!traceparentForm.test(text)) return undefined;
  if (text.startsWith("ff") || (text.startsWith("00") && text.length > formChars)) return undefined;
  if (text.startsWith(noTraceId, traceIdAt) || text.startsWith(noSpanId, spanIdAt)) return undefined;
  return text;
}

/** The flag is the lowest bit of the last digit. */
function hasSampledFlag(text: string): boolean {
  return oddDigits.includes(text.charAt(formChars - 1));
}

/**
 * Returns the id of a new trace. Node hands out random UUIDs from a pool, which costs far less than a few random bytes
 * for each id. Their version and variant digits keep an id from being all zeros, which the standard forbids. Its last 7
 * bytes are all random, as W3C Trace Context Level 2 (section 2.2.3) asks.
 */
export function newTraceId(): string {
  const id = randomUUID();
  // Half the price of `replaceAll`.
  return id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);
}

/** Returns the id of a new span: the version digit of a UUID and 60 random bits. */
export function newSpanId(): string {
  const id = randomUUID();
  return id.slice(14, 18) + id.slice(24);
}
