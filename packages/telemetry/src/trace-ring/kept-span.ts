import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { processNames } from "../semantic-names.ts";
import type { Kind } from "../trace.ts";
import { type KeptSpan, linksMax, shortened, textsOf } from "./kept-trace.ts";

const kinds: Readonly<Record<SpanKind, Kind>> = {
  [SpanKind.INTERNAL]: "internal",
  [SpanKind.SERVER]: "server",
  [SpanKind.CLIENT]: "client",
  [SpanKind.PRODUCER]: "producer",
  [SpanKind.CONSUMER]: "consumer",
};

const statuses: Readonly<Record<SpanStatusCode, KeptSpan["status"]>> = {
  [SpanStatusCode.UNSET]: "unset",
  [SpanStatusCode.OK]: "ok",
  [SpanStatusCode.ERROR]: "error",
};

const usPerSecond = 1_000_000;
const nsPerUs = 1_000;

/** Returns what is kept of a span of this process that has ended. */
export function keptSpan(span: ReadableSpan): KeptSpan {
  const { traceId, spanId } = span.spanContext();
  const { name, kind, parentSpanContext, resource, startTime, endTime, status, attributes, links } = span;
  return {
    ...{ traceId, spanId },
    parentSpanId: parentSpanContext?.spanId,
    name: shortened(name),
    service: shortened(String(resource.attributes[processNames.serviceName] ?? "")),
    kind: kinds[kind],
    startUs: microseconds(startTime),
    endUs: microseconds(endTime),
    status: statuses[status.code],
    statusMessage: shortened(status.message ?? ""),
    attributes: textsOf(Object.entries(attributes)),
    links: links.slice(0, linksMax).map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
  };
}

function microseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * usPerSecond + Math.floor(nanoseconds / nsPerUs);
}
