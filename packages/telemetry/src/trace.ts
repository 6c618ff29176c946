import { randomUUID } from "node:crypto";

/** The position of a piece of work in a W3C trace: its trace id, and the `traceparent` for the calls that it makes. */
export interface Trace {
  readonly traceId: string;
  readonly traceparent: string;
}

/** Version, trace id, span id and flags. Later versions may have more behind a hyphen. */
const traceparentForm = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const [traceIdAt, spanIdAt, flagsAt, formChars] = [3, 36, 53, 55];
const [noTraceId, noSpanId] = ["0".repeat(32), "0".repeat(16)];
const spanIdChars = 16;
const sampledFlag = 0x01;

/**
 * Continues the trace of a `traceparent` header with a span of its own, or begins a new trace.
 *
 * A header that is not well-formed by W3C Trace Context (all-zero ids, version `ff`, extra fields in version `00`) is
 * ignored: it never fails a request.
 */
export function continueTrace(traceparent?: string): Trace {
  const parent = traceparent === undefined ? undefined : parse(traceparent);
  return parent === undefined ? new Span(newTraceId(), true, true) : new Span(parent.traceId, false, parent.sampled);
}

/** One span. Most have a line in a log, which has the trace's id alone: the id of its own is made when it is read. */
class Span implements Trace {
  readonly traceId: string;
  readonly #isFirst: boolean;
  readonly #isSampled: boolean;
  #traceparent: string | undefined;

  constructor(traceId: string, isFirst: boolean, isSampled: boolean) {
    this.traceId = traceId;
    this.#isFirst = isFirst;
    this.#isSampled = isSampled;
  }

  get traceparent(): string {
    this.#traceparent ??= `00-${this.traceId}-${this.#newSpanId()}-${this.#isSampled ? "01" : "00"}`;
    return this.#traceparent;
  }

  /** Half of a trace's id is random enough for its first span, which has to differ from the others of this trace. */
  #newSpanId(): string {
    return this.#isFirst ? this.traceId.slice(-spanIdChars) : newSpanId();
  }
}

function parse(given: string): { traceId: string; sampled: boolean } | undefined {
  const text = given.trim();
  if (!traceparentForm.test(text)) return undefined;
  if (text.startsWith("ff") || (text.startsWith("00") && text.length > formChars)) return undefined;
  if (text.startsWith(noTraceId, traceIdAt) || text.startsWith(noSpanId, spanIdAt)) return undefined;
  const flags = Number.parseInt(text.slice(flagsAt, formChars), 16);
  return { traceId: text.slice(traceIdAt, spanIdAt - 1), sampled: (flags & sampledFlag) === sampledFlag };
}

// Node hands out random UUIDs from a pool, which costs far less than a few random bytes for each id. Their version and
// variant digits keep all ids from being all zeros, which the standard forbids. The last 7 bytes of a trace id are all
// random, as W3C Trace Context Level 2 (section 2.2.3) asks.

function newTraceId(): string {
  const id = randomUUID();
  // Half the price of `replaceAll`.
  return id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);
}

/** The version digit and 60 random bits. */
function newSpanId(): string {
  const id = randomUUID();
  return id.slice(14, 18) + id.slice(24);
}
