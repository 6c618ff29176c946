// Runs in the browser.

import { errorOfLine, noteOfLine, reasonOfSpan } from "./causes.js";
import { element } from "./elements.js";
import { fieldOf, shortName } from "./read-traces.js";
import { durationText, offsetText, timeText } from "./time-text.js";
import { severities } from "./trace-tree.js";

/**
 * @import { Meanings } from "./causes.js"
 * @import { Field, LogLine, Span, Trace } from "./read-traces.js"
 * @import { TraceNode } from "./trace-tree.js"
 */

/**
 * All that is known of a row.
 *
 * @param {TraceNode} node
 * @param {Meanings} meanings
 * @returns {readonly HTMLElement[]}
 */
export function detailsOf(node, meanings) {
  const { span, line, trace } = node;
  if (line !== undefined) return lineDetails(line, trace);
  return span === undefined ? traceDetails(trace) : spanDetails(span, node, meanings);
}

/**
 * @param {Trace} trace
 * @returns {readonly HTMLElement[]}
 */
function traceDetails({ traceId, start, end, spans, dropped }) {
  return [
    element("h2", {}, "Trace"),
    facts([
      ["Trace id", element("code", {}, traceId)],
      ["Began", timeText(start, Date.now())],
      ["Took", durationText(end - start)],
      ["Spans", String(spans.length)],
      dropped > 0 && ["Not kept", `${dropped} spans or log lines: a trace holds so many at most`],
    ]),
    element("p", {}, element("a", { href: `?trace=${traceId}` }, "Link to this trace")),
  ];
}

/**
 * @param {Span} span
 * @param {TraceNode} node
 * @param {Meanings} meanings
 * @returns {readonly HTMLElement[]}
 */
function spanDetails(span, { severity, trace }, meanings) {
  const { name, service, kind, start, end, message, attributes, links, lines, traceId, spanId, isLinked } = span;
  const reason = severity === severities.none ? "" : reasonOfSpan(span);
  const isFailed = severity === severities.failure;
  const logged = lines.map(errorOfLine).findLast((error) => error !== "");
  const why = meanings[reason] || message || logged || "";
  const shown = kind === "kind_unspecified" ? "" : `, ${kind}`;
  const trouble = element(
    "p",
    { class: isFailed ? "why failed" : "why warning" },
    element("strong", {}, isFailed ? "Failed" : "Refused"),
    reason !== "" && ": ",
    element("code", {}, reason),
    why !== "" && element("span", {}, ` ${why}`),
  );
  return [
    element("h2", {}, shortName(name)),
    ...(severity === severities.none ? [] : [trouble]),
    facts([
      ["Service", `${service}${shown}`],
      ["Began", `${timeText(start, Date.now())} (${offsetText(start - trace.start)})`],
      ["Took", durationText(end - start)],
      isLinked && ["Belongs to", traceLink(traceId, spanId, "another trace")],
    ]),
    ...section("Attributes", attributes.length === 0 ? undefined : fieldList(attributes)),
    ...section("Log lines", lines.length === 0 ? undefined : element("ol", { class: "lines" }, ...lines.map(lineItem))),
    ...section(
      "Done for",
      links.length === 0
        ? undefined
        : element("ul", {}, ...links.map((link) => element("li", {}, linkTo(link, trace)))),
    ),
    element("p", {}, traceLink(traceId, spanId, "Link to this span")),
  ];
}

/**
 * @param {LogLine} line
 * @param {Trace} trace
 * @returns {readonly HTMLElement[]}
 */
function lineDetails(line, trace) {
  const { time, level, message, service, fields } = line;
  const error = errorOfLine(line);
  const stack = fieldOf(fields, "exception.stacktrace");
  const others = fields.filter(([name]) => !name.startsWith("exception."));
  return [
    element("h2", {}, message),
    ...(error === "" ? [] : [element("p", { class: "why failed" }, error)]),
    facts([
      ["Level", level],
      ["Service", service],
      ["Written", `${timeText(time, Date.now())} (${offsetText(time - trace.start)})`],
    ]),
    ...section("Fields", others.length === 0 ? undefined : fieldList(others)),
    ...section("Stack", stack === "" ? undefined : element("pre", {}, stack)),
  ];
}

/**
 * @param {string} title
 * @param {HTMLElement | undefined} content
 */
function section(title, content) {
  return content === undefined ? [] : [element("h3", {}, title), content];
}

/** @param {readonly (readonly [string, string | Node] | false)[]} pairs */
function facts(pairs) {
  const known = pairs.filter((pair) => pair !== false);
  return element("dl", { class: "facts" }, ...known.flatMap(([name, value]) => [dt(name), element("dd", {}, value)]));
}

/** A longer value, such as a statement, stands behind the others. */
const shortValueMax = 200;

/** @param {readonly Field[]} fields */
function fieldList(fields) {
  const isLong = (/** @type {Field} */ [, value]) => value.length > shortValueMax;
  const pairs = fields
    .toSorted((a, b) => Number(isLong(a)) - Number(isLong(b)))
    .flatMap(([name, value]) => [dt(name), element("dd", {}, value)]);
  return element("dl", { class: "fields" }, ...pairs);
}

/** @param {string} name */
function dt(name) {
  return element("dt", {}, name);
}

/** @param {LogLine} line */
function lineItem(line) {
  const note = noteOfLine(line);
  return element(
    "li",
    {},
    element("span", { class: `level ${line.level}` }, line.level),
    ` ${line.message}`,
    note !== "" && element("span", { class: `note-of ${line.level}` }, ` ${note}`),
  );
}

/**
 * @param {{ traceId: string, spanId: string }} link
 * @param {Trace} trace
 */
function linkTo({ traceId, spanId }, trace) {
  const target = traceId === trace.traceId ? trace.spans.find((span) => span.spanId === spanId) : undefined;
  const text = target?.name ?? (traceId === trace.traceId ? "a span of this trace" : `trace ${traceId}`);
  return traceLink(traceId, spanId, text);
}

/**
 * @param {string} traceId
 * @param {string} spanId
 * @param {string} text
 */
function traceLink(traceId, spanId, text) {
  return element("a", { href: `?trace=${traceId}&span=${spanId}` }, text);
}
