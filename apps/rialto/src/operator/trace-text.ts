import { type LogLine, type Span, Span_StatusCode as StatusCode, type Trace } from "@rialto/contracts";

const usPerMs = 1_000;
const usPerSecond = 1_000_000;
const nsPerUs = 1_000;
const indent = "  ";
/** Attributes of a span that failed which say why. */
const failureNames = ["error.type", "db.response.status_code", "rpc.response.status_code", "http.response.status_code"];
/** The longest value that is printed of a field: a stack has its own lines in the log. */
const fieldCharsMax = 200;

/**
 * Writes a trace as a tree for people: each span below the one that it is part of, with what was logged inside of it.
 * A span of another trace stands below the one that it is linked to, marked by a `~`.
 */
export function traceText(trace: Trace): string {
  const all = [...trace.spans, ...trace.linkedSpans];
  const known = new Map(all.map((span) => [keyOf(span), span]));
  const childrenOf = Map.groupBy(all, (span) => parentKeyOf(span, trace, known));
  const [first] = trace.spans;
  const startUs = first === undefined ? 0 : microseconds(first.startTime);
  const endUs = Math.max(startUs, ...trace.spans.map((span) => microseconds(span.startTime) + durationOf(span)));
  const failed = trace.spans.filter(({ statusCode }) => statusCode === StatusCode.ERROR).length;
  const lines: string[] = [
    `trace ${trace.traceId}  ${timeOf(startUs)}  ${inWords(endUs - startUs)}  ${trace.spans.length} spans` +
      (failed === 0 ? "" : `, ${failed} FAILED`),
  ];
  const write = (span: Span, depth: number) => {
    const isOther = span.traceId !== trace.traceId;
    lines.push(`${indent.repeat(depth)}${isOther ? "~ " : ""}${spanText(span, startUs)}`);
    for (const line of span.logLines) lines.push(`${indent.repeat(depth + 1)}${lineText(line, startUs)}`);
    for (const child of childrenOf.get(keyOf(span)) ?? []) write(child, depth + 1);
  };
  for (const root of childrenOf.get(undefined) ?? []) write(root, 1);
  for (const line of trace.logLines) lines.push(`${indent}${lineText(line, startUs)}`);
  const { droppedSpans, droppedLogLines } = trace;
  if (droppedSpans + droppedLogLines > 0)
    lines.push(`${indent}(${droppedSpans} more spans and ${droppedLogLines} more log lines are not kept)`);
  return lines.join("\n");
}

function keyOf({ traceId, spanId }: { readonly traceId: string; readonly spanId: string }): string {
  return `${traceId} ${spanId}`;
}

/** Returns the span that a span stands below; undefined for one that stands at the top. */
function parentKeyOf(span: Span, trace: Trace, known: ReadonlyMap<string, Span>): string | undefined {
  const parent = keyOf({ traceId: span.traceId, spanId: span.parentSpanId });
  if (known.has(parent)) return parent;
  if (span.traceId === trace.traceId) return undefined;
  const link = span.links.find(({ traceId }) => traceId === trace.traceId);
  if (link !== undefined && known.has(keyOf(link))) return keyOf(link);
  const naming = trace.spans.find(({ links }) => links.some((one) => keyOf(one) === keyOf(span)));
  return naming === undefined ? undefined : keyOf(naming);
}

function spanText(span: Span, startUs: number): string {
  const at = `+${inWords(microseconds(span.startTime) - startUs)}`;
  const parts = [span.name, `[${span.service}]`, inWords(durationOf(span)), at];
  if (span.statusCode === StatusCode.ERROR) {
    const why = failureNames.map((name) => span.attributes[name]).find((value) => value !== undefined);
    parts.push(`FAILED ${[why, span.statusMessage].filter(Boolean).join(" ")}`.trimEnd());
  }
  return parts.map(oneLine).join("  ");
}

function lineText({ level, service, message, time, fields }: LogLine, startUs: number): string {
  const shown = Object.entries(fields)
    .filter(([name]) => name !== "exception.stacktrace")
    .map(([name, value]) => `${name}=${value.length > fieldCharsMax ? `${value.slice(0, fieldCharsMax)}…` : value}`);
  const at = `+${inWords(microseconds(time) - startUs)}`;
  return [`| ${level}`, `[${service}]`, message, ...shown, at].map(oneLine).join("  ");
}

/** What was recorded must not move the cursor of a terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}

function durationOf({ duration }: Span): number {
  return duration === undefined ? 0 : microseconds(duration);
}

function microseconds(time: { readonly seconds: bigint; readonly nanos: number } | undefined): number {
  return time === undefined ? 0 : Number(time.seconds) * usPerSecond + Math.floor(time.nanos / nsPerUs);
}

function timeOf(us: number): string {
  return new Date(us / usPerMs).toISOString();
}

function inWords(us: number): string {
  if (Math.abs(us) < usPerMs) return `${us} µs`;
  if (Math.abs(us) < usPerSecond) return `${(us / usPerMs).toFixed(1)} ms`;
  return `${(us / usPerSecond).toFixed(2)} s`;
}
