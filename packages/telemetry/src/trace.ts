import { randomUUID } from "node:crypto";

/** The position of a piece of work in a W3C trace: its trace id, and the `traceparent` for the calls that it makes. */
export interface Trace {
  readonly traceId: string;
  readonly traceparent: string;
}

const traceparentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const sampledFlag = 0x01;

/**
 * Continues the trace of a `traceparent` header with a span of its own, or begins a new trace.
 *
 * A header that is not well-formed by W3C Trace Context (all-zero ids, version `ff`, extra fields in version `00`) is
 * ignored: it never fails a request.
 */
export function continueTrace(traceparent?: string): Trace {
  const parent = traceparent === undefined ? undefined : parse(traceparent);
  return new Span(parent?.traceId ?? newTraceId(), parent?.sampled !== false);
}

/** One span. Most have a line in a log, which has the trace's id alone: the id of its own is made when it is read. */
class Span implements Trace {
  readonly traceId: string;
  readonly #isSampled: boolean;
  #traceparent: string | undefined;

  constructor(traceId: string, isSampled: boolean) {
    this.traceId = traceId;
    this.#isSampled = isSampled;
  }

  get traceparent(): string {
    this.#traceparent ??= `00-${this.traceId}-${newSpanId()}-${this.#isSampled ? "01" : "00"}`;
    return this.#traceparent;
  }
}

function parse(traceparent: string): { traceId: string; sampled: boolean } | undefined {
  const [, version, traceId, spanId, flags, rest] = traceparentForm.exec(traceparent.trim()) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, sampled: (Number.parseInt(flags, 16) & sampledFlag) === sampledFlag };
}

// Node hands out random UUIDs from a pool, which costs far less than a few random bytes for each id. Their version
// digit keeps both ids from being all zeros, which the standard forbids. The last 7 bytes of a trace id are all random,
// as W3C Trace Context Level 2 (section 2.2.3) asks.

function newTraceId(): string {
  return randomUUID().replaceAll("-", "");
}

/** The version digit and 60 random bits. */
function newSpanId(): string {
  const id = randomUUID();
  return id.slice(14, 18) + id.slice(24);
}
