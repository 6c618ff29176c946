import { create, type JsonObject, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import {
  ListTracesResponseSchema,
  type LogLineSchema,
  Span_Kind,
  Span_StatusCode,
  type SpanSchema,
  TraceSchema,
} from "@rialto/contracts";

/** A span of a made-up trace. Times are milliseconds after the trace's beginning. */
export interface MadeSpan {
  readonly name: string;
  readonly service: string;
  readonly at: number;
  readonly ms: number;
  readonly kind?: keyof typeof Span_Kind;
  /** The reason of its failure. */
  readonly failed?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly lines?: readonly MadeLine[];
  readonly children?: readonly MadeSpan[];
}

interface MadeLine {
  readonly at: number;
  readonly message: string;
  readonly level?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

export interface MadeTrace {
  readonly traceId: string;
  readonly startMs: number;
  readonly orderIds?: readonly string[];
  readonly requestIds?: readonly string[];
  readonly root: MadeSpan;
  /** A span of another trace. */
  readonly linked?: MadeSpan;
}

const always = { alwaysEmitImplicit: true } as const;

/** A trace as the API answers it. */
export function traceJson(trace: MadeTrace): JsonObject {
  const linked = trace.linked === undefined ? [] : spansOf(trace.linked, { ...trace, traceId: otherTraceId }, "f");
  const made = create(TraceSchema, { traceId: trace.traceId, spans: spansOf(trace.root, trace), linkedSpans: linked });
  // A message of fields is an object.
  return toJson(TraceSchema, made, always) as JsonObject;
}

/** The same as a list has it. */
export function listJson(traces: readonly MadeTrace[]): JsonObject {
  const summaries = traces.map((trace) => {
    const { traceId, startMs, root, orderIds = [], requestIds = [] } = trace;
    const spans = flat(root);
    return {
      ...{
        traceId,
        rootName: root.name,
        rootService: root.service,
        orderIds: [...orderIds],
        requestIds: [...requestIds],
      },
      startTime: timestampOf(startMs + root.at),
      duration: durationOf(Math.max(...spans.map(({ at, ms }) => at + ms)) - root.at),
      spanCount: spans.length,
      failed: spans.some(({ failed }) => failed !== undefined),
    };
  });
  const newestFirst = summaries.toSorted((a, b) => Number(b.startTime.seconds - a.startTime.seconds));
  // A message of fields is an object.
  return toJson(
    ListTracesResponseSchema,
    create(ListTracesResponseSchema, { traces: newestFirst }),
    always,
  ) as JsonObject;
}

const otherTraceId = "0".repeat(31).concat("f");

function flat(span: MadeSpan): MadeSpan[] {
  return [span, ...(span.children ?? []).flatMap(flat)];
}

function spansOf(root: MadeSpan, { traceId, startMs }: Pick<MadeTrace, "traceId" | "startMs">, prefix = "") {
  const spans: MessageInitShape<typeof SpanSchema>[] = [];
  const add = (span: MadeSpan, parentSpanId: string) => {
    const { name, service, failed, attributes, lines = [], links = [], children = [] } = span;
    const spanId = prefix + String(spans.length + 1).padStart(16 - prefix.length, "0");
    spans.push({
      ...{ traceId, spanId, parentSpanId, name, service, kind: Span_Kind[span.kind ?? "INTERNAL"] },
      startTime: timestampOf(startMs + span.at),
      duration: durationOf(span.ms),
      statusCode: failed === undefined ? Span_StatusCode.STATUS_CODE_UNSPECIFIED : Span_StatusCode.ERROR,
      attributes: { ...attributes, ...(failed === undefined ? {} : { "error.type": failed }) },
      links: [...links],
      logLines: lines.map((line) => lineOf(line, service, startMs)),
    });
    for (const child of children) add(child, spanId);
  };
  add(root, "");
  return spans;
}

function lineOf(
  { at, message, level = "info", fields = {} }: MadeLine,
  service: string,
  startMs: number,
): MessageInitShape<typeof LogLineSchema> {
  return { time: timestampOf(startMs + at), level, message, service, fields: { ...fields } };
}

function timestampOf(ms: number) {
  const micros = Math.round(ms * 1_000);
  return { seconds: BigInt(Math.floor(micros / 1e6)), nanos: (micros % 1e6) * 1_000 };
}

const durationOf = timestampOf;
