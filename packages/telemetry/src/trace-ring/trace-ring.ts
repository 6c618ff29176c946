import { rialtoNames } from "../semantic-names.ts";
import type { KeptLine, KeptSpan, KeptTrace } from "./kept-trace.ts";

/**
 * The last traces of a system in development, in memory. It holds at most, and drops the oldest first:
 *
 * - 500 traces, by the time at which their first span arrived;
 * - of one trace 1,000 spans and 500 log lines: more are counted and not kept;
 * - 32 Mi characters of names, attributes and fields in all;
 * - 2,000 log lines of traces of which no span has ended yet: lines are written before their span ends, and those of
 *   a trace that is not recorded have none.
 */
export interface TraceRing {
  addSpan(span: KeptSpan): void;
  addLine(line: KeptLine): void;
  /** Returns the traces, that with the latest start first. */
  list(): readonly KeptTrace[];
  get(traceId: string): KeptTrace | undefined;
  /**
   * Returns spans of other traces that are linked to spans of this one, by their start: those that its spans name in
   * their links, and those that name one of its spans, with what is below them. 500 at the most, the earliest.
   */
  linkedTo(trace: KeptTrace): readonly KeptSpan[];
}

export interface RingBounds {
  readonly tracesMax: number;
  readonly spansPerTraceMax: number;
  readonly linesPerTraceMax: number;
  readonly charsMax: number;
  readonly waitingLinesMax: number;
  readonly linkedSpansMax: number;
}

export const ringBounds: RingBounds = {
  tracesMax: 500,
  spansPerTraceMax: 1_000,
  linesPerTraceMax: 500,
  charsMax: 32 * 1024 * 1024,
  waitingLinesMax: 2_000,
  linkedSpansMax: 500,
};

/** Ids of one kind that are kept of a trace. A client may put all its requests into one. */
const idsMax = 100;
/** What a span or a line costs beside its texts, in characters: some 200 bytes. */
const itemChars = 100;

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
  const waiting = createWaitingLines(bounds.waitingLinesMax);
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
    count(entry, charsOf(line.message, line.fields));
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
      count(entry, charsOf(span.name + span.statusMessage, span.attributes) + span.links.length * itemChars);
      dropOldest();
    },
    addLine(line) {
      const entry = traces.get(line.traceId);
      if (entry === undefined) waiting.add(line);
      else addTo(entry, line);
      dropOldest();
    },
    list: () => [...traces.values()].map(keptTrace).sort((one, other) => startOf(other) - startOf(one)),
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

function charsOf(text: string, fields: Readonly<Record<string, string>>): number {
  let chars = itemChars + text.length;
  for (const name in fields) chars += name.length + (fields[name]?.length ?? 0);
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

/** A trace begins to be kept with its first span. */
function startOf({ spans: [first] }: KeptTrace): number {
  return first?.startUs ?? 0;
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
function createWaitingLines(linesMax: number) {
  const lines = new Set<KeptLine>();
  const byTrace = new Map<string, KeptLine[]>();
  function take(traceId: string): readonly KeptLine[] {
    const taken = byTrace.get(traceId) ?? [];
    byTrace.delete(traceId);
    for (const line of taken) lines.delete(line);
    return taken;
  }
  return {
    take,
    add(line: KeptLine): void {
      lines.add(line);
      const known = byTrace.get(line.traceId);
      if (known === undefined) byTrace.set(line.traceId, [line]);
      else known.push(line);
      const [oldest] = lines;
      // With the lines of its trace: half of them would be of less use than none.
      if (lines.size > linesMax && oldest !== undefined) take(oldest.traceId);
    },
  };
}
