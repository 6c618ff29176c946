// Runs in the browser. The view of an order, a request or a trace: what went wrong, the tree, and the chosen row.

import { causeOfDeadLetter, causeOfOrder, causesInTraces, mergedCauses } from "./causes.js";
import { button, counted, element } from "./elements.js";
import { orderFacts, orderLife } from "./order-summary.js";
import { detailsOf } from "./span-details.js";
import { durationText, timeText } from "./time-text.js";
import { orderLink } from "./trace-list.js";
import { buildTree, flatten, severities } from "./trace-tree.js";
import { createWaterfall } from "./waterfall.js";

/**
 * @import { Cause, Meanings } from "./causes.js"
 * @import { Found } from "./find-traces.js"
 * @import { TraceNode } from "./trace-tree.js"
 *
 * @typedef {object} ViewContext
 * @property {Meanings} meanings
 * @property {(service: string) => string} colorOf
 * @property {AbortSignal} signal Aborts when the view is replaced.
 *
 * @typedef {object} FoundView
 * @property {string} title
 * @property {readonly Node[]} nodes
 * @property {(spanId: string) => void} selectSpan
 */

const causesMax = 12;

/**
 * @param {Found} found
 * @param {ViewContext} context
 * @returns {FoundView}
 */
export function createFoundView(found, context) {
  const roots = buildTree(found.traces);
  const title = titleOf(found, roots);
  const details = createDetails(context, () => waterfall.focus());
  const waterfall = createWaterfall({
    roots,
    colorOf: context.colorOf,
    coveredPx: details.coveredPx,
    onSelect: details.show,
    onEnter: () => details.root.focus(),
    signal: context.signal,
  });
  const split = element("div", { class: "split" }, waterfall.root, details.root);
  const causes = causesOf(found, roots, context);
  return {
    title,
    nodes: [
      ...headOf(found, roots, title),
      ...found.notes.map((note) => element("p", { class: "note" }, note)),
      ...(roots.length > 0 || causes.length > 0 ? [causesSection(causes, waterfall.reveal)] : []),
      roots.length === 0 ? noTraces(found) : split,
    ],
    selectSpan(spanId) {
      const node = flatten(roots).find(({ span, line }) => line === undefined && span?.spanId === spanId);
      if (node !== undefined) waterfall.reveal(node);
    },
  };
}

/**
 * @param {Found} found
 * @param {readonly TraceNode[]} roots
 */
function titleOf({ kind, id }, roots) {
  if (kind !== "trace") return `${kind === "order" ? "Order" : "Request"} ${id}`;
  return roots[0]?.children.find(({ span }) => span !== undefined && !span.isLinked)?.span?.name ?? `Trace ${id}`;
}

/**
 * @param {Found} found
 * @param {readonly TraceNode[]} roots
 * @param {string} title
 */
function headOf({ kind, id, order, events, left, traces }, roots, title) {
  const [first] = roots;
  const spans = traces.reduce((sum, trace) => sum + trace.spans.length, 0);
  const took = first === undefined ? 0 : Math.max(...traces.map(({ end }) => end)) - first.start;
  const facts = first !== undefined && [
    timeText(first.start, Date.now()),
    durationText(took),
    counted(traces.length, "trace"),
    counted(spans, "span"),
    left > 0 && `${left} older traces are not shown`,
  ];
  const orders = kind === "order" ? [] : ordersNamed(roots);
  return [
    element("h1", { tabindex: "-1" }, title),
    element(
      "p",
      { class: "facts-line" },
      ...(order === undefined ? [] : orderFacts(order)),
      facts && element("span", { class: "muted" }, facts.filter(Boolean).join(" · ")),
      kind === "trace" && element("code", { class: "muted" }, id),
    ),
    events.length > 0 && orderLife(events),
    orders.length > 0 && element("p", {}, "Whole life: ", ...orders.flatMap((orderId) => [orderLink(orderId), " "])),
  ].filter((node) => node !== false);
}

const orderIdName = "rialto.order.id";
const ordersNamedMax = 5;

/** @param {readonly TraceNode[]} roots */
function ordersNamed(roots) {
  const attributes = flatten(roots).flatMap(({ span }) => (span === undefined || span.isLinked ? [] : span.attributes));
  return [...new Set(attributes.filter(([name]) => name === orderIdName).map(([, value]) => value))].slice(
    0,
    ordersNamedMax,
  );
}

/** @param {Found} found */
function noTraces({ order }) {
  const text =
    order === undefined
      ? "No order and no request has this id, or its traces are no longer kept."
      : "Its traces are no longer kept: only the last ones are.";
  return element("p", { class: "note" }, text);
}

/**
 * @param {Found} found
 * @param {readonly TraceNode[]} roots
 * @param {ViewContext} context
 * @returns {readonly Cause[]}
 */
function causesOf({ order, letters }, roots, { meanings }) {
  const ofOrder = order === undefined ? undefined : causeOfOrder(order, meanings);
  const first = [...(ofOrder === undefined ? [] : [ofOrder]), ...letters.map(causeOfDeadLetter)];
  return mergedCauses(first, causesInTraces(roots, meanings));
}

/**
 * @param {readonly Cause[]} causes
 * @param {(node: TraceNode) => void} reveal
 */
function causesSection(causes, reveal) {
  if (causes.length === 0)
    return element("section", { class: "causes good" }, element("p", {}, "Nothing failed, and nothing was refused."));
  const left = causes.length - causesMax;
  return element(
    "section",
    { class: "causes", "aria-labelledby": "causes" },
    element("h2", { id: "causes" }, "What went wrong"),
    element("ol", {}, ...causes.slice(0, causesMax).map((cause) => causeItem(cause, reveal))),
    left > 0 && element("p", { class: "muted" }, `And ${left} more: see “Only what failed”.`),
  );
}

/**
 * @param {Cause} cause
 * @param {(node: TraceNode) => void} reveal
 */
function causeItem({ severity, title, word, text, service, count, node }, reveal) {
  return element(
    "li",
    { class: severity === severities.failure ? "failed" : "warning" },
    element(
      "p",
      {},
      element("strong", {}, title),
      word !== "" && element("code", {}, word),
      count > 1 && element("span", { class: "muted" }, `${count} times`),
      element("span", { class: "muted" }, service),
      node !== undefined && button("Show", () => reveal(node), { "aria-label": `Show ${title} in the tree` }),
    ),
    text !== "" && element("p", {}, text),
  );
}

/**
 * The panel with what is known of the chosen row.
 *
 * @param {ViewContext} context
 * @param {() => void} leave
 */
function createDetails({ meanings }, leave) {
  const hint = "Choose a row. Arrow keys move, → opens and ← closes it, N goes to the next failure, Enter comes here.";
  const content = element("div", { class: "content" }, element("p", { class: "muted" }, hint));
  const close = button("Close", () => hide(), { class: "close" });
  const root = element("section", { class: "details", tabindex: "0", "aria-label": "The chosen row" }, close, content);
  root.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") hide();
  });

  function hide() {
    root.classList.remove("open");
    leave();
  }
  return {
    root,
    /** @param {TraceNode} node */
    show(node) {
      content.replaceChildren(...detailsOf(node, meanings));
      root.classList.add("open");
      root.scrollTop = 0;
    },
    /** Where the screen is narrow, the panel covers its bottom. */
    coveredPx: () => (getComputedStyle(root).position === "fixed" ? root.getBoundingClientRect().height : 0),
  };
}
