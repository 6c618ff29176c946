// Runs in the browser.

import { noteOfLine, reasonOfSpan } from "./causes.js";
import { element } from "./elements.js";
import { shortName } from "./read-traces.js";
import { durationText, offsetText, timeText } from "./time-text.js";
import { severities } from "./trace-tree.js";

/**
 * @import { TimeScale } from "./time-scale.js"
 * @import { Severity, TraceNode } from "./trace-tree.js"
 * @import { Row } from "./visible-rows.js"
 *
 * @typedef {object} RowContext
 * @property {(traceId: string) => TimeScale} scaleOf
 * @property {(service: string) => string} colorOf The class of a service's color.
 * @property {number} firstStart When the first trace of the view began.
 */

/** Deeper rows are indented no further. */
const indentLevelsMax = 16;

/**
 * Makes the element of a row, without what changes.
 *
 * @param {TraceNode} node
 * @param {RowContext} context
 * @returns {HTMLElement}
 */
export function rowElement(node, context) {
  const kind = node.line !== undefined ? "line" : node.span !== undefined ? "span" : "trace";
  const what = element("span", { class: "what" }, element("span", { class: "twisty", "aria-hidden": "true" }));
  const row = element("div", { role: "treeitem", class: `row ${kind}`, "aria-level": node.level }, what);
  what.style.setProperty("--indent", String(Math.min(node.level - 1, indentLevelsMax)));
  if (kind === "trace") fillTrace(row, what, node, context);
  else if (kind === "line") fillLine(row, what, node, context);
  else fillSpan(row, what, node, context);
  return row;
}

/**
 * Sets what changes while the row is shown.
 *
 * @param {HTMLElement} made
 * @param {Row} row
 * @param {{ index: number, isActive: boolean }} state
 */
export function updateRow(made, { node, isExpanded, position, size }, { index, isActive }) {
  made.tabIndex = isActive ? 0 : -1;
  made.style.setProperty("--index", String(index));
  made.setAttribute("aria-posinset", String(position));
  made.setAttribute("aria-setsize", String(size));
  made.setAttribute("aria-selected", String(isActive));
  if (isExpanded === undefined) made.removeAttribute("aria-expanded");
  else made.setAttribute("aria-expanded", String(isExpanded));
  const below = made.querySelector(".below");
  const hides = isExpanded === false && node.severityBelow === severities.failure;
  if (hides && below === null)
    made.querySelector(".what")?.append(element("span", { class: "badge below" }, "✕ failed below"));
  if (!hides) below?.remove();
}

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} what
 * @param {TraceNode} node
 * @param {RowContext} context
 */
function fillTrace(row, what, { trace, severity }, { scaleOf, firstStart }) {
  const later = trace.start - firstStart;
  what.append(
    element("span", { class: "label" }, `Trace of ${timeText(trace.start, Date.now())}`),
    element("span", { class: "from" }, later > 0 && `${durationText(later)} later`),
  );
  if (severity === severities.failure) what.append(outcomeBadge(severity, ""));
  const lane = laneOf(scaleOf(trace.traceId));
  addTimes(row, { took: trace.end - trace.start });
  row.append(lane);
}

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} what
 * @param {TraceNode} node
 * @param {RowContext} context
 */
function fillSpan(row, what, { span, trace, severity, parent }, { scaleOf, colorOf }) {
  if (span === undefined) return;
  const { name, service, start, end, isLinked } = span;
  what.append(
    element("span", { class: `dot ${colorOf(service)}`, "aria-hidden": "true" }),
    element("span", { class: "label", title: name }, shortName(name)),
    // Where it is that of the row above, it would be noise.
    element("span", { class: service === parent?.span?.service ? "unseen" : "from" }, service),
  );
  if (isLinked) what.append(element("span", { class: "from" }, "other trace"));
  if (severity !== severities.none) {
    const reason = reasonOfSpan(span);
    // What failed because of it has the same reason.
    const isSaid =
      parent?.span !== undefined && parent.severity !== severities.none && reasonOfSpan(parent.span) === reason;
    what.append(outcomeBadge(severity, isSaid ? "" : reason));
  }
  const scale = scaleOf(trace.traceId);
  const bar = element("span", {
    class: ["bar", colorOf(service), severity === severities.failure && "failed", isLinked && "linked"]
      .filter(Boolean)
      .join(" "),
  });
  const from = scale.place(start);
  bar.style.setProperty("--from", String(from));
  bar.style.setProperty("--width", String(scale.place(end) - from));
  const lane = laneOf(scale);
  lane.append(bar);
  addTimes(row, { when: start - trace.start, took: end - start });
  row.append(lane);
}

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} what
 * @param {TraceNode} node
 * @param {RowContext} context
 */
function fillLine(row, what, { line, trace, parent }, { scaleOf }) {
  if (line === undefined) return;
  const { level, message, service, time } = line;
  const note = noteOfLine(line);
  what.append(
    element("span", { class: `level ${level}` }, level),
    element(
      "span",
      { class: "label" },
      message,
      note !== "" && element("span", { class: `note-of ${level}` }, ` ${note}`),
    ),
  );
  if (service !== parent?.span?.service) what.append(element("span", { class: "from" }, service));
  const scale = scaleOf(trace.traceId);
  const tick = element("span", { class: `tick ${level}` });
  tick.style.setProperty("--from", String(scale.place(time)));
  const lane = laneOf(scale);
  lane.append(tick);
  addTimes(row, { when: time - trace.start });
  row.append(lane);
}

/**
 * @param {Severity} severity
 * @param {string} reason
 */
function outcomeBadge(severity, reason) {
  const isFailed = severity === severities.failure;
  const word = isFailed ? "failed" : "refused";
  const hidden = element("span", { class: reason === "" ? "" : "unseen" }, reason === "" ? word : `${word}: `);
  const mark = element("span", { "aria-hidden": "true" }, isFailed ? "✕ " : "⊘ ");
  return element("span", { class: `badge ${isFailed ? "failed" : "warning"}`, title: reason }, mark, hidden, reason);
}

/**
 * @param {HTMLElement} row
 * @param {{ when?: number, took?: number }} times
 */
function addTimes(row, { when, took }) {
  row.append(
    element("span", { class: "when" }, when === undefined ? "" : offsetText(when)),
    element("span", { class: "took" }, took === undefined ? "" : durationText(took)),
  );
}

/** @param {TimeScale} scale */
function laneOf({ pauses }) {
  const lane = element("span", { class: "lane", "aria-hidden": "true" });
  if (pauses.length === 0) return lane;
  const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(2)}%`;
  const stops = pauses.map(({ from, to }) => {
    const [begin, end] = [percent(from), percent(to)];
    return `transparent ${begin}, var(--pause) ${begin} ${end}, transparent ${end}`;
  });
  lane.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
  return lane;
}
