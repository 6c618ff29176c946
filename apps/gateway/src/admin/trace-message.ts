import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  LogLineSchema,
  Span_Kind,
  SpanSchema,
  Span_StatusCode as StatusCode,
  type TraceSchema,
  TraceSummarySchema,
} from "@rialto/contracts";
import { answerBytesMax, messageSize } from "@rialto/rpc";
import type { KeptLine, KeptSpan, KeptTrace } from "@rialto/telemetry";

const usPerMs = 1_000;
const usPerSecond = 1_000_000;
const nsPerUs = 1_000;

const summaryBytes = messageSize(TraceSummarySchema);
const spanBytes = messageSize(SpanSchema);
const lineBytes = messageSize(LogLineSchema);

const kinds = {
  internal: Span_Kind.INTERNAL,
  server: Span_Kind.SERVER,
  client: Span_Kind.CLIENT,
  producer: Span_Kind.PRODUCER,
  consumer: Span_Kind.CONSUMER,
} as const satisfies Record<NonNullable<KeptSpan["kind"]>, Span_Kind>;

const statuses = {
  unset: StatusCode.STATUS_CODE_UNSPECIFIED,
  ok: StatusCode.OK,
  error: StatusCode.ERROR,
} as const satisfies Record<KeptSpan["status"], StatusCode>;

/** Makes the messages of traces in a list: as many as fit into a response. */
export function traceSummaries(traces: readonly KeptTrace[]): MessageInitShape<typeof TraceSummarySchema>[] {
  const left = countDown(answerBytesMax);
  return traces.map(traceSummary).filter((summary) => left.take(summaryBytes(summary)));
}

function traceSummary(trace: KeptTrace): MessageInitShape<typeof TraceSummarySchema> {
  const { traceId, spans, droppedSpans, orderIds, requestIds } = trace;
  const root = rootOf(spans);
  const startUs = spans[0]?.startUs ?? 0;
  const endUs = spans.reduce((latest, span) => Math.max(latest, span.endUs), startUs);
  return {
    traceId,
    rootName: root?.name ?? "",
    rootService: root?.service ?? "",
    startTime: secondsOf(startUs),
    duration: secondsOf(endUs - startUs),
    spanCount: spans.length + droppedSpans,
    failed: spans.some(({ status }) => status === "error"),
    orderIds: [...orderIds],
    requestIds: [...requestIds],
  };
}

/**
 * Makes the message of a trace, and of the spans of others that are linked to it. What does not fit into a response is
 * left out, and counted as dropped where it is of the trace itself. Spans come first, then log lines, then linked
 * spans, each the earliest first: a span whose lines are too many is there without some of them, and so are the spans
 * after it. The lines of a span that is left out are left out with it.
 */
export function traceMessage(trace: KeptTrace, linked: readonly KeptSpan[]): MessageInitShape<typeof TraceSchema> {
  const { traceId, spans, lines, droppedSpans, droppedLines } = trace;
  const left = countDown(answerBytesMax);
  const heads = spans.filter((span) => left.take(spanBytes(spanMessage(span, []))));
  const known = new Set<string | undefined>(heads.map(({ spanId }) => spanId));
  // A span says how long it is with its lines: in some bytes more than without.
  left.spend(heads.length * lengthBytesMax);
  const wanted = new Set<string | undefined>(spans.map(({ spanId }) => spanId));
  const fits = (line: KeptLine) => left.take(lineBytes(lineMessage(line)));
  const linesOf = Map.groupBy(
    lines.filter((line) => known.has(line.spanId) && fits(line)),
    ({ spanId }) => spanId,
  );
  const others = lines.filter((line) => !wanted.has(line.spanId) && fits(line));
  const withLines = heads.map((span) => spanMessage(span, linesOf.get(span.spanId) ?? []));
  const linesCount = others.length + [...linesOf.values()].reduce((sum, { length }) => sum + length, 0);
  return {
    traceId,
    spans: withLines,
    linkedSpans: linked.map((span) => spanMessage(span, [])).filter((span) => left.take(spanBytes(span))),
    logLines: others.map(lineMessage),
    droppedSpans: droppedSpans + spans.length - heads.length,
    droppedLogLines: droppedLines + lines.length - linesCount,
  };
}

/** What the length of a span of 4 MiB takes beyond that of a short one. */
const lengthBytesMax = 4;

/** Counts the bytes of a response that are left. */
function countDown(bytes: number) {
  let bytesLeft = bytes;
  return {
    /** Returns whether so many are left, and takes them where they are. */
    take(wanted: number): boolean {
      if (wanted > bytesLeft) return false;
      bytesLeft -= wanted;
      return true;
    },
    spend(wanted: number): void {
      bytesLeft = Math.max(0, bytesLeft - wanted);
    },
  };
}

/** The first span without a parent that is kept. A client's own span is not. */
function rootOf(spans: readonly KeptSpan[]): KeptSpan | undefined {
  const ids = new Set<string | undefined>(spans.map(({ spanId }) => spanId));
  return spans.find(({ parentSpanId }) => !ids.has(parentSpanId)) ?? spans[0];
}

function spanMessage(span: KeptSpan, lines: readonly KeptLine[]): MessageInitShape<typeof SpanSchema> {
  const { traceId, spanId, parentSpanId = "", name, service, kind, startUs, endUs, status, statusMessage } = span;
  return {
    ...{ traceId, spanId, parentSpanId, name, service, statusMessage },
    kind: kind === undefined ? Span_Kind.KIND_UNSPECIFIED : kinds[kind],
    startTime: secondsOf(startUs),
    duration: secondsOf(Math.max(0, endUs - startUs)),
    statusCode: statuses[status],
    attributes: span.attributes,
    links: span.links.map((link) => ({ ...link })),
    logLines: lines.map(lineMessage),
  };
}

function lineMessage(line: KeptLine): MessageInitShape<typeof LogLineSchema> {
  const { timeMs, level, message, service, fields } = line;
  return { time: secondsOf(timeMs * usPerMs), level, message, service, fields };
}

/** A point in time or a duration, as protobuf has both. */
function secondsOf(us: number): { readonly seconds: bigint; readonly nanos: number } {
  const seconds = Math.floor(us / usPerSecond);
  return { seconds: BigInt(seconds), nanos: Math.round(us - seconds * usPerSecond) * nsPerUs };
}
