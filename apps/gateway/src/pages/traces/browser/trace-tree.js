// Runs in the browser.

import { fieldOf } from "./read-traces.js";

/**
 * @import { LogLine, Span, Trace } from "./read-traces.js"
 */

/**
 * A row: a trace, a span, or a log line.
 *
 * @typedef {object} TraceNode
 * @property {string} id Unlike that of any other node on the page.
 * @property {Trace} trace
 * @property {Span} [span]
 * @property {LogLine} [line]
 * @property {number} start
 * @property {number} level 1 for a trace.
 * @property {TraceNode} [parent]
 * @property {TraceNode[]} children In order of time.
 * @property {Severity} severity Its own; of a trace that of what is in it.
 * @property {Severity} severityBelow The highest one below it.
 *
 * @typedef {0 | 1 | 2} Severity
 */

/** A span that was refused, or a warning in the log, may be as it should be. A failure is none of these. */
export const severities = /** @type {const} */ ({ none: 0, warning: 1, failure: 2 });

/**
 * Makes the tree of traces. A span whose parent is not there stands right below its trace, and so do those whose
 * parents form a circle.
 *
 * @param {readonly Trace[]} traces
 * @returns {TraceNode[]} The rows of the traces, in order of time.
 */
export function buildTree(traces) {
  return traces.toSorted((a, b) => a.start - b.start).map(treeOf);
}

/**
 * All nodes below these and themselves, parents before children.
 *
 * @param {readonly TraceNode[]} roots
 * @param {(node: TraceNode) => readonly TraceNode[]} [childrenOf] Those that are followed.
 * @returns {TraceNode[]}
 */
export function flatten(roots, childrenOf = (node) => node.children) {
  const found = [];
  // Not by recursion: a trace may be as deep as it has spans.
  const waiting = roots.toReversed();
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    found.push(node);
    for (const child of childrenOf(node).toReversed()) waiting.push(child);
  }
  return found;
}

/**
 * The nodes above a node, the nearest first.
 *
 * @param {TraceNode} node
 * @returns {TraceNode[]}
 */
export function ancestorsOf({ parent }) {
  const above = [];
  for (let at = parent; at !== undefined; at = at.parent) above.push(at);
  return above;
}

/**
 * @param {Trace} trace
 * @returns {TraceNode}
 */
function treeOf(trace) {
  const root = nodeOf({ id: trace.traceId, trace, start: trace.start });
  for (const [index, line] of trace.lines.entries()) adopt(root, lineNode(`${trace.traceId}/-/${index}`, trace, line));
  const nodes = new Map(trace.spans.map((span) => [span.spanId, spanNode(trace, span)]));
  for (const node of nodes.values()) {
    const parent = nodes.get(node.span?.parentId ?? "");
    const isCircle = parent !== undefined && (parent === node || ancestorsOf(parent).includes(node));
    adopt(parent === undefined || isCircle ? root : parent, node);
  }
  const all = flatten([root]);
  for (const node of all) {
    node.level = (node.parent?.level ?? 0) + 1;
    node.children.sort((a, b) => a.start - b.start);
  }
  for (const { parent, severity, severityBelow } of all.reverse()) {
    if (parent !== undefined) parent.severityBelow = higher(parent.severityBelow, higher(severity, severityBelow));
  }
  root.severity = root.severityBelow;
  return root;
}

/**
 * @param {Trace} trace
 * @param {Span} span
 */
function spanNode(trace, span) {
  const id = `${trace.traceId}/${span.spanId}`;
  const node = nodeOf({ id, trace, span, start: span.start, severity: severityOfSpan(span) });
  for (const [index, line] of span.lines.entries()) adopt(node, lineNode(`${id}/${index}`, trace, line));
  return node;
}

/**
 * @param {string} id
 * @param {Trace} trace
 * @param {LogLine} line
 */
function lineNode(id, trace, line) {
  return nodeOf({ id, trace, line, start: line.time, severity: severityOfLevel(line.level) });
}

/**
 * @param {Span} span
 * @returns {Severity}
 */
function severityOfSpan({ isFailed, attributes }) {
  if (isFailed) return severities.failure;
  const code = fieldOf(attributes, "rpc.response.status_code");
  return code === "" || code === "ok" ? severities.none : severities.warning;
}

/**
 * @param {string} level
 * @returns {Severity}
 */
function severityOfLevel(level) {
  if (level === "error" || level === "fatal") return severities.failure;
  return level === "warn" ? severities.warning : severities.none;
}

/**
 * @param {Severity} a
 * @param {Severity} b
 */
function higher(a, b) {
  return /** @type {Severity} */ (Math.max(a, b));
}

/**
 * @param {Pick<TraceNode, "id" | "trace" | "start"> & Partial<TraceNode>} given
 * @returns {TraceNode}
 */
function nodeOf(given) {
  return { level: 1, children: [], severity: severities.none, severityBelow: severities.none, ...given };
}

/**
 * @param {TraceNode} parent
 * @param {TraceNode} child
 */
function adopt(parent, child) {
  child.parent = parent;
  parent.children.push(child);
}
