import { processNames } from "../semantic-names.ts";
import type { Kind } from "../trace.ts";
import {
  type KeptLine,
  type KeptSpan,
  levelCharsMax,
  linksMax,
  type SpanRef,
  shortened,
  textsOf,
} from "./kept-trace.ts";

/** What a body of OTLP in JSON holds. */
export interface OtlpContent {
  readonly spans: readonly KeptSpan[];
  readonly lines: readonly KeptLine[];
}

/** SpanKind of OTLP, whose 0 is unspecified. */
const kinds: readonly (Kind | undefined)[] = [undefined, "internal", "server", "client", "producer", "consumer"];
const statuses = ["unset", "ok", "error"] as const;

const traceIdForm = /^[0-9a-f]{32}$/;
const spanIdForm = /^[0-9a-f]{16}$/;
const nsPerUs = 1_000n;
const usPerMs = 1_000;

/**
 * Reads the spans and the log records of an OTLP request in JSON. Those of the process whose run is `own` are left out:
 * it has them already. So is what has no valid ids or times: nothing of it could be shown.
 */
export function readOtlp(body: unknown, own: string): OtlpContent {
  const spans = listOf(body, "resourceSpans").flatMap((part) => {
    const service = serviceOf(part, own);
    if (service === undefined) return [];
    return listOf(part, "scopeSpans").flatMap((scope) =>
      listOf(scope, "spans").flatMap((span) => readSpan(span, service) ?? []),
    );
  });
  const lines = listOf(body, "resourceLogs").flatMap((part) => {
    const service = serviceOf(part, own);
    if (service === undefined) return [];
    return listOf(part, "scopeLogs").flatMap((scope) =>
      listOf(scope, "logRecords").flatMap((record) => readLine(record, service) ?? []),
    );
  });
  return { spans, lines };
}

/** Returns the name of a resource's service; undefined for our own process. */
function serviceOf(part: unknown, own: string): string | undefined {
  const attributes = new Map(attributesOf(fieldOf(part, "resource")));
  if (attributes.get(processNames.serviceInstanceId) === own) return undefined;
  return shortened(String(attributes.get(processNames.serviceName) ?? "unknown"));
}

function readSpan(span: unknown, service: string): KeptSpan | undefined {
  const ref = readRef(span);
  const startUs = microsecondsOf(span, "startTimeUnixNano");
  const endUs = microsecondsOf(span, "endTimeUnixNano");
  if (ref === undefined || startUs === undefined || endUs === undefined) return undefined;
  const parent = textOf(span, "parentSpanId");
  const status = fieldOf(span, "status");
  return {
    ...ref,
    parentSpanId: parent !== undefined && spanIdForm.test(parent) ? parent : undefined,
    name: shortened(textOf(span, "name") ?? ""),
    service,
    kind: kinds[Number(fieldOf(span, "kind"))],
    startUs,
    endUs,
    status: statuses[Number(fieldOf(status, "code"))] ?? "unset",
    statusMessage: shortened(textOf(status, "message") ?? ""),
    attributes: textsOf(attributesOf(span)),
    links: listOf(span, "links")
      .slice(0, linksMax)
      .flatMap((link) => readRef(link) ?? []),
  };
}

function readLine(record: unknown, service: string): KeptLine | undefined {
  const timeUs = microsecondsOf(record, "timeUnixNano");
  const fields = new Map(attributesOf(record));
  // A line that names no span has its trace in a field.
  const traceId = textOf(record, "traceId") ?? fields.get("traceId");
  if (typeof traceId !== "string" || !traceIdForm.test(traceId) || timeUs === undefined) return undefined;
  fields.delete("traceId");
  const spanId = textOf(record, "spanId");
  return {
    traceId,
    spanId: spanId !== undefined && spanIdForm.test(spanId) ? spanId : undefined,
    timeMs: Math.floor(timeUs / usPerMs),
    level: shortened(textOf(record, "severityText") ?? "info", levelCharsMax),
    message: shortened(textOf(fieldOf(record, "body"), "stringValue") ?? ""),
    service,
    fields: textsOf(fields),
  };
}

function readRef(of: unknown): SpanRef | undefined {
  const [traceId, spanId] = [textOf(of, "traceId"), textOf(of, "spanId")];
  if (traceId === undefined || spanId === undefined) return undefined;
  return traceIdForm.test(traceId) && spanIdForm.test(spanId) ? { traceId, spanId } : undefined;
}

/** Nanoseconds are a text of digits there: they are more than a number holds. */
function microsecondsOf(of: unknown, name: string): number | undefined {
  const text = textOf(of, name);
  return text !== undefined && /^\d{1,19}$/.test(text) ? Number(BigInt(text) / nsPerUs) : undefined;
}

/** The value of an attribute is one field of an object that names its type. */
function* attributesOf(of: unknown): Generator<readonly [name: string, value: unknown]> {
  for (const attribute of listOf(of, "attributes")) {
    const name = textOf(attribute, "key");
    const value = fieldOf(attribute, "value");
    if (name !== undefined && typeof value === "object" && value !== null) yield [name, Object.values(value)[0]];
  }
}

function listOf(of: unknown, name: string): readonly unknown[] {
  const value = fieldOf(of, name);
  return Array.isArray(value) ? value : [];
}

function textOf(of: unknown, name: string): string | undefined {
  const value = fieldOf(of, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function fieldOf(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined;
}
