// Runs in the browser. Reads what TraceService answers (proto/rialto/trace/v1/trace.proto).

import { readDuration, readTime } from "./time-text.js";

/**
 * @typedef {Readonly<Record<string, any>>} Json What the gateway answered, by its contract.
 *
 * @typedef {readonly [name: string, value: string]} Field
 *
 * @typedef {object} Summary A trace of a list.
 * @property {string} traceId
 * @property {string} name
 * @property {string} service
 * @property {number} start
 * @property {number} ms
 * @property {number} spanCount
 * @property {boolean} isFailed
 * @property {readonly string[]} orderIds
 *
 * @typedef {object} LogLine
 * @property {number} time
 * @property {string} level
 * @property {string} message
 * @property {string} service
 * @property {readonly Field[]} fields
 *
 * @typedef {object} Span
 * @property {string} traceId
 * @property {string} spanId
 * @property {string} parentId The span that it is shown below. Empty for none.
 * @property {boolean} isLinked It belongs to another trace.
 * @property {string} name
 * @property {string} service
 * @property {string} kind
 * @property {number} start
 * @property {number} end
 * @property {boolean} isFailed
 * @property {string} message What it says of its failure.
 * @property {readonly Field[]} attributes
 * @property {readonly { traceId: string, spanId: string }[]} links
 * @property {readonly LogLine[]} lines
 *
 * @typedef {object} Trace
 * @property {string} traceId
 * @property {number} start
 * @property {number} end
 * @property {readonly Span[]} spans
 * @property {readonly LogLine[]} lines Those of no span that is there.
 * @property {number} dropped How many spans and log lines were not kept.
 */

/**
 * @param {Json} answer
 * @returns {Summary}
 */
export function readSummary(answer) {
  return {
    traceId: answer.traceId,
    name: answer.rootName,
    service: answer.rootService,
    start: readTime(answer.startTime),
    ms: readDuration(answer.duration),
    spanCount: answer.spanCount,
    isFailed: answer.failed,
    orderIds: answer.orderIds,
  };
}

/**
 * @param {Json} answer
 * @returns {Trace}
 */
export function readTrace(answer) {
  const { traceId, logLines, droppedSpans, droppedLogLines } = answer;
  /** @type {Span[]} */
  const own = answer.spans.map(readSpan);
  const linked = placeLinked(own, answer.linkedSpans.map(readSpan));
  /** @type {LogLine[]} */
  const lines = logLines.map(readLine);
  const times = [...own.flatMap(({ start, end }) => [start, end]), ...lines.map(({ time }) => time)].sort(
    (a, b) => a - b,
  );
  return {
    traceId,
    start: times[0] ?? 0,
    end: times.at(-1) ?? 0,
    spans: [...own, ...linked],
    lines,
    dropped: droppedSpans + droppedLogLines,
  };
}

/**
 * Puts spans of other traces below the span of this trace that they were done for, or that was done for them. What
 * stands below one of them in its own trace does so here too.
 *
 * @param {readonly Span[]} own
 * @param {readonly Span[]} others
 * @returns {Span[]}
 */
function placeLinked(own, others) {
  const ids = new Set([...own, ...others].map(({ spanId }) => spanId));
  const ownIds = new Set(own.map(({ spanId }) => spanId));
  const namedBy = new Map(own.flatMap(({ spanId, links }) => links.map((link) => [link.spanId, spanId])));
  return others
    .filter(({ spanId }) => !ownIds.has(spanId))
    .map((span) => {
      const named = span.links.find((link) => ownIds.has(link.spanId))?.spanId ?? namedBy.get(span.spanId);
      return { ...span, isLinked: true, parentId: ids.has(span.parentId) ? span.parentId : (named ?? "") };
    });
}

/**
 * @param {Json} answer
 * @returns {Span}
 */
function readSpan(answer) {
  const start = readTime(answer.startTime);
  return {
    traceId: answer.traceId,
    spanId: answer.spanId,
    parentId: answer.parentSpanId,
    isLinked: false,
    name: answer.name,
    service: answer.service,
    kind: String(answer.kind).toLowerCase(),
    start,
    end: start + readDuration(answer.duration),
    isFailed: answer.statusCode === "ERROR",
    message: answer.statusMessage,
    attributes: fieldsOf(answer.attributes),
    links: answer.links,
    lines: answer.logLines.map(readLine),
  };
}

/**
 * @param {Json} answer
 * @returns {LogLine}
 */
function readLine({ time, level, message, service, fields }) {
  return { time: readTime(time), level, message, service, fields: fieldsOf(fields) };
}

/**
 * @param {Json} map
 * @returns {Field[]} Sorted by name.
 */
function fieldsOf(map) {
  return Object.entries(map)
    .map(([name, value]) => /** @type {const} */ ([name, String(value)]))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * The value of a field; empty where it is not there.
 *
 * @param {readonly Field[]} fields
 * @param {string} name
 */
export function fieldOf(fields, name) {
  return fields.find(([candidate]) => candidate === name)?.[1] ?? "";
}

/**
 * Without the package of a method: "OrderService/CreateOrder".
 *
 * @param {string} name
 */
export function shortName(name) {
  return name.replace(/^rialto(\.\w+)+\.(?=\w+\/\w+$)/, "");
}
