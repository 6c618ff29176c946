import { rialtoNames } from "../semantic-names.ts";
import type { KeptLine, KeptSpan, KeptTrace } from "./kept-trace.ts";

/**
 * The last traces of a system in development, in memory. It holds at most, and drops the oldest first:
 *
 * - 500 traces, by the time at which their first span arrived;
 * - of one trace 1,000 spans and 500 log lines: more are counted and not kept;
 * - 32 Mi characters of all their texts, and of what the spans, lines and fields themselves cost. The newest trace
 *   stays even where it alone has more;
 * - 2,000 log lines, with 4 Mi characters, of traces of which no span has ended yet: lines are written before their
 *   span ends, and those of a trace that is not recorded have none.
 *
 * So the memory that it takes is bounded, whoever sends: 36 Mi characters are 72 MB where all are of two bytes. Each
 * text of a span or a line is bounded where it is read (`kept-trace.ts`).
 */
export interface TraceRing {
  addSpan(span: KeptSpan): void;
  addLine(line: KeptLine): void;
  /** Returns the traces that are wanted, that with the latest start first. */
  list(wanted?: WantedTraces): readonly KeptTrace[];
  get(traceId: string): KeptTrace | undefined;
  /**
   * Returns spans of other traces that are linked to spans of this one, by their start: those that its spans name in
   * their links, and those that name one of its spans, with what is below them. 500 at the most, the earliest.
   */
  linkedTo(trace: KeptTrace): readonly KeptSpan[];
}

/** Which traces are listed: all where nothing is given. */
export interface WantedTraces {
  /** Those that name this order. */
  readonly orderId?: string | undefined;
  /** Those that name this request. */
  readonly requestId?: string | undefined;
  /** The latest ones. */
  readonly max?: number | undefined;
}

export interface RingBounds {
  readonly tracesMax: number;
  readonly spansPerTraceMax: number;
  readonly linesPerTraceMax: number;
  readonly charsMax: number;
  readonly waitingLinesMax: number;
  readonly waitingCharsMax: number;
  readonly linkedSpansMax: number;
}

export const ringBounds: RingBounds = {
  tracesMax: 500,
  spansPerTraceMax: 1_000,
  linesPerTraceMax: 500,
  charsMax: 32 * 1024 * 1024,
  waitingLinesMax: 2_000,
  waitingCharsMax: 4 * 1024 * 1024,
  linkedSpansMax: 500,
};

/** Ids of one kind that are kept of a trace. A client may put all its requests into one. */
const idsMax = 100;
/** What a span, a line or a link costs beside its texts, in characters: its object, its ids, its place in a map. */
const itemChars = 250;
/** The same of one of its attributes or fields. */
const fieldChars = 20;

/** A trace that is kept. */
interface Entry {
  readonly traceId: string;
  readonly spans: Map<string, KeptSpan>;
  readonly lines: KeptLine[];
  readonly orderIds: Set<string>;
  readonly requestIds: Set<string>;
  droppedSpans: number;
  droppedLines: number;
  chars: number;
}

/** Creates an empty ring. */
export function createTraceRing(bounds: RingBounds = ringBounds): TraceRing {
  /** In the order in which they began to be kept. */
  const traces = new Map<string, Entry>();
  const waiting = createWaitingLines(bounds);
  let chars = 0;

  function entryOf(traceId: string): Entry {
    const known = traces.get(traceId);
    if (known !== undefined) return known;
    const entry = newEntry(traceId);
    traces.set(traceId, entry);
    for (const line of waiting.take(traceId)) addTo(entry, line);
    return entry;
  }

  function addTo(entry: Entry, line: KeptLine): void {
    if (entry.lines.length >= bounds.linesPerTraceMax) {
      entry.droppedLines += 1;
      return;
    }
    entry.lines.push(line);
    note(entry.orderIds, line.fields.orderId);
    note(entry.requestIds, line.fields.requestId);
    count(entry, charsOfLine(line));
  }

  function count(entry: Entry, more: number): void {
    entry.chars += more;
    chars += more;
  }

  const isFull = () => traces.size > 1 && (traces.size > bounds.tracesMax || chars > bounds.charsMax);

  /** The newest stays, whatever its size: it is bounded by itself. */
  function dropOldest(): void {
    // A map that entries left costs time to walk, and most spans drop nothing.
    if (!isFull()) return;
    for (const [traceId, entry] of traces) {
      traces.delete(traceId);
      chars -= entry.chars;
      if (!isFull()) return;
    }
  }

  return {
    addSpan(span) {
      const entry = entryOf(span.traceId);
      // An export that is sent again.
      if (entry.spans.has(span.spanId)) return;
      if (entry.spans.size >= bounds.spansPerTraceMax) {
        entry.droppedSpans += 1;
        return;
      }
      entry.spans.set(span.spanId, span);
      note(entry.orderIds, span.attributes[rialtoNames.orderId]);
      note(entry.requestIds, span.attributes[rialtoNames.requestId]);
      count(entry, charsOfSpan(span));
      dropOldest();
    },
    addLine(line) {
      const entry = traces.get(line.traceId);
      if (entry === undefined) waiting.add(line);
      else addTo(entry, line);
      dropOldest();
    },
    list({ orderId, requestId, max } = {}) {
      const isWanted = ({ orderIds, requestIds }: Entry) =>
        (orderId === undefined || orderIds.has(orderId)) && (requestId === undefined || requestIds.has(requestId));
      const wanted = [...traces.values()].filter(isWanted).map((entry) => ({ entry, startUs: startOf(entry) }));
      wanted.sort((one, other) => other.startUs - one.startUs);
      // A trace costs time to sort, so only those that are returned are.
      return wanted.slice(0, max).map(({ entry }) => keptTrace(entry));
    },
    get(traceId) {
      const entry = traces.get(traceId);
      return entry === undefined ? undefined : keptTrace(entry);
    },
    linkedTo: (trace) => linkedSpans(trace, traces, bounds.linkedSpansMax),
  };
}

function newEntry(traceId: string): Entry {
  return {
    ...{ traceId, spans: new Map(), lines: [], orderIds: new Set(), requestIds: new Set() },
    ...{ droppedSpans: 0, droppedLines: 0, chars: 0 },
  };
}

function note(ids: Set<string>, id: string | undefined): void {
  if (id !== undefined && ids.size < idsMax) ids.add(id);
}

function charsOfSpan({ name, service, statusMessage, attributes, links }: KeptSpan): number {
  return (1 + links.length) * itemChars + name.length + service.length + statusMessage.length + charsOf(attributes);
}

function charsOfLine({ level, message, service, fields }: KeptLine): number {
  return itemChars + level.length + message.length + service.length + charsOf(fields);
}

function charsOf(fields: Readonly<Record<string, string>>): number {
  let chars = 0;
  for (const name in fields) chars += fieldChars + name.length + (fields[name]?.length ?? 0);
  return chars;
}

function keptTrace({ traceId, spans, lines, orderIds, requestIds, droppedSpans, droppedLines }: Entry): KeptTrace {
  return {
    ...{ traceId, droppedSpans, droppedLines },
    spans: [...spans.values()].sort(byStart),
    lines: lines.toSorted((one, other) => one.timeMs - other.timeMs),
    orderIds: [...orderIds],
    requestIds: [...requestIds],
  };
}

function startOf({ spans }: Entry): number {
  let startUs = Number.POSITIVE_INFINITY;
  for (const span of spans.values()) startUs = Math.min(startUs, span.startUs);
  return startUs;
}

function byStart(one: KeptSpan, other: KeptSpan): number {
  return one.startUs - other.startUs;
}

function linkedSpans(
  { traceId: own, spans }: KeptTrace,
  traces: ReadonlyMap<string, Entry>,
  max: number,
): readonly KeptSpan[] {
  const linked = new Set<KeptSpan>();
  for (const { links } of spans)
    for (const { traceId, spanId } of links) {
      const span = traceId === own ? undefined : traces.get(traceId)?.spans.get(spanId);
      if (span !== undefined) linked.add(span);
    }
  for (const [traceId, { spans: others }] of traces) {
    if (traceId === own) continue;
    const naming = [...others.values()].filter(({ links }) => links.some((link) => link.traceId === own));
    for (const span of withDescendants(naming, others)) linked.add(span);
  }
  return [...linked].sort(byStart).slice(0, max);
}

/** Returns these spans of a trace and all that are below them. */
function withDescendants(roots: readonly KeptSpan[], all: ReadonlyMap<string, KeptSpan>): ReadonlySet<KeptSpan> {
  const found = new Set(roots);
  if (roots.length === 0) return found;
  const childrenOf = Map.groupBy(all.values(), ({ parentSpanId }) => parentSpanId);
  // A set that grows is walked to its new end.
  for (const { spanId } of found) for (const child of childrenOf.get(spanId) ?? []) found.add(child);
  return found;
}

/** Log lines of traces of which no span is kept, the oldest dropped first. */
function createWaitingLines({ waitingLinesMax: linesMax, waitingCharsMax: charsMax }: RingBounds) {
  const lines = new Set<KeptLine>();
  const byTrace = new Map<string, KeptLine[]>();
  let chars = 0;

  function take(traceId: string): readonly KeptLine[] {
    const taken = byTrace.get(traceId) ?? [];
    byTrace.delete(traceId);
    for (const line of taken) {
      lines.delete(line);
      chars -= charsOfLine(line);
    }
    return taken;
  }

  /** The lines of a trace go together: half of them would be of less use than none. */
  function dropOldest(): void {
    if (lines.size <= linesMax && chars <= charsMax) return;
    for (const { traceId } of lines) {
      take(traceId);
      if (lines.size <= linesMax && chars <= charsMax) return;
    }
  }

  return {
    take,
    add(line: KeptLine): void {
      lines.add(line);
      chars += charsOfLine(line);
      const known = byTrace.get(line.traceId);
      if (known === undefined) byTrace.set(line.traceId, [line]);
      else known.push(line);
      dropOldest();
    },
  };
}
