// Runs in the browser. The tree of traces beside their timelines: a tree view of the ARIA Authoring Practices, of which
// only the rows on the screen are in the document. A trace of thousands of spans costs as much as one of a hundred.

import { button, checkbox, element } from "./elements.js";
import { createTimeScale } from "./time-scale.js";
import { ancestorsOf, flatten, severities } from "./trace-tree.js";
import { allCollapsible, collapsedAtFirst, openedFor, visibleRows } from "./visible-rows.js";
import { rowElement, updateRow } from "./waterfall-row.js";

/**
 * @import { TimeScale } from "./time-scale.js"
 * @import { TraceNode } from "./trace-tree.js"
 *
 * @typedef {object} Waterfall
 * @property {HTMLElement} root
 * @property {(node: TraceNode) => void} reveal Opens what is above a row, selects it and puts the focus on it.
 * @property {() => void} focus Puts the focus on the selected row.
 */

/** Rows beside those on the screen, on either side of it. */
const rowsAround = 10;

/**
 * Creates the waterfall of traces. It is drawn when it is in the document, until the signal aborts.
 *
 * @param {object} o
 * @param {readonly TraceNode[]} o.roots
 * @param {(service: string) => string} o.colorOf
 * @param {() => number} o.coveredPx How much of the bottom of the screen is covered.
 * @param {(node: TraceNode) => void} o.onSelect
 * @param {() => void} o.onEnter
 * @param {AbortSignal} o.signal
 * @returns {Waterfall}
 */
export function createWaterfall({ roots, colorOf, coveredPx, onSelect, onEnter, signal }) {
  const choice = { collapsed: collapsedAtFirst(roots), showsLines: true, onlyTrouble: false };
  /** @type {Map<string, TimeScale>} */
  const scales = new Map(roots.map(({ trace }) => [trace.traceId, scaleOf(trace)]));
  const context = {
    scaleOf: (/** @type {string} */ traceId) => scales.get(traceId) ?? createTimeScale([]),
    colorOf,
    firstStart: roots[0]?.trace.start ?? 0,
  };
  /** The elements of the rows that are in the document, by the ids of their nodes. @type {Map<string, HTMLElement>} */
  const drawn = new Map();
  const tree = element("div", { role: "tree", class: "tree", "aria-label": "Spans and log lines" });
  let rows = visibleRows(roots, choice);
  let active = 0;

  const controls = element("div", { class: "choices" });
  const root = element(
    "div",
    { class: "waterfall" },
    controls,
    columns([...scales.values()].some(({ pauses }) => pauses.length > 0)),
    tree,
  );
  drawControls();

  tree.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !press(event.key)) return;
    event.preventDefault();
  });
  tree.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element)) return;
    const made = target.closest(".row");
    const index = rows.findIndex(({ node }) => drawn.get(node.id) === made);
    if (index === -1) return;
    if (target.closest(".twisty") !== null) toggle(index);
    select(index);
  });
  addEventListener("scroll", draw, { signal, passive: true });
  addEventListener("resize", draw, { signal, passive: true });
  new ResizeObserver(draw).observe(root);

  return {
    root,
    reveal(node) {
      if (node.line !== undefined) choice.showsLines = true;
      if (node.severity === severities.none && node.severityBelow === severities.none) choice.onlyTrouble = false;
      choice.collapsed = openedFor(choice.collapsed, node);
      refresh(node);
      select(active, { isFar: true });
    },
    focus: () => drawn.get(rows[active]?.node.id ?? "")?.focus({ preventScroll: true }),
  };

  function drawControls() {
    controls.replaceChildren(
      checkbox("Log lines", choice.showsLines, (isChecked) => {
        choice.showsLines = isChecked;
        refresh();
      }),
      checkbox("Only what failed", choice.onlyTrouble, (isChecked) => {
        choice.onlyTrouble = isChecked;
        refresh();
      }),
      button("Expand all", () => {
        choice.collapsed = new Set();
        refresh();
      }),
      button("Collapse all", () => {
        choice.collapsed = allCollapsible(roots);
        refresh();
      }),
    );
  }

  /** Lists the rows anew. The selected one stays, or the nearest above it that is still shown. */
  function refresh(selected = rows[active]?.node) {
    rows = visibleRows(roots, choice);
    const kept = selected === undefined ? [] : [selected, ...ancestorsOf(selected)];
    const indexes = kept.map((node) => rows.findIndex((row) => row.node === node));
    active = indexes.find((index) => index !== -1) ?? 0;
    drawControlsState();
    draw();
  }

  function drawControlsState() {
    const [lines, trouble] = controls.querySelectorAll("input");
    if (lines !== undefined) lines.checked = choice.showsLines;
    if (trouble !== undefined) trouble.checked = choice.onlyTrouble;
  }

  /** Puts the rows on the screen into the document, and takes the others out of it. */
  function draw() {
    if (!root.isConnected) return;
    tree.style.setProperty("--rows", String(rows.length));
    const height = rowHeight();
    const above = -tree.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / height) - rowsAround);
    const end = Math.min(rows.length, Math.ceil((above + innerHeight) / height) + rowsAround);
    const wanted = new Set([active]);
    for (let index = first; index < end; index += 1) wanted.add(index);
    place([...wanted].sort((a, b) => a - b));
  }

  /** @param {readonly number[]} indexes */
  function place(indexes) {
    /** @type {Set<string>} */
    const left = new Set(drawn.keys());
    for (const index of indexes) left.delete(rows[index]?.node.id ?? "");
    for (const id of left) {
      drawn.get(id)?.remove();
      drawn.delete(id);
    }
    let next = tree.firstElementChild;
    for (const index of indexes) {
      const row = rows[index];
      if (row === undefined) continue;
      const made = drawn.get(row.node.id) ?? rowElement(row.node, context);
      drawn.set(row.node.id, made);
      // What stays is never moved: it would lose the focus.
      if (made === next) next = next.nextElementSibling;
      else tree.insertBefore(made, next);
      updateRow(made, row, { index, isActive: index === active });
    }
  }

  function rowHeight() {
    const [some] = drawn.values();
    if (some === undefined) place([active]);
    const [made] = drawn.values();
    return made?.getBoundingClientRect().height || 1;
  }

  /**
   * @param {number} index
   * @param {{ isFar: boolean }} [jump] Whether to show it amid its neighbors where it was not on the screen.
   */
  function select(index, { isFar } = { isFar: false }) {
    active = Math.max(0, Math.min(rows.length - 1, index));
    const node = rows[active]?.node;
    if (node === undefined) return;
    onSelect(node);
    draw();
    const height = rowHeight();
    const top = tree.getBoundingClientRect().top + active * height;
    const bottom = innerHeight - coveredPx();
    const isAbove = top < 0;
    const isBelow = top + height > bottom;
    if (isFar && (isAbove || isBelow)) scrollBy(0, top - bottom / 2);
    else if (isAbove) scrollBy(0, top);
    else if (isBelow) scrollBy(0, top + height - bottom);
    draw();
    drawn.get(node.id)?.focus({ preventScroll: true });
  }

  /** @param {number} index */
  function toggle(index) {
    const row = rows[index];
    if (row?.isExpanded === undefined) return;
    const { id } = row.node;
    const collapsed = new Set(choice.collapsed);
    if (row.isExpanded) collapsed.add(id);
    else collapsed.delete(id);
    choice.collapsed = collapsed;
    refresh();
  }

  /**
   * Does what a key means in a tree. Returns false for one that means nothing.
   *
   * @param {string} key
   */
  function press(key) {
    const row = rows[active];
    if (row === undefined) return false;
    const page = Math.max(1, Math.floor(innerHeight / rowHeight()) - 2);
    switch (key) {
      case "ArrowDown":
        return move(active + 1);
      case "ArrowUp":
        return move(active - 1);
      case "PageDown":
        return move(active + page);
      case "PageUp":
        return move(active - page);
      case "Home":
        return move(0);
      case "End":
        return move(rows.length - 1);
      case "ArrowRight":
        if (row.isExpanded !== false) return row.isExpanded === undefined || move(active + 1);
        toggle(active);
        return true;
      case "ArrowLeft":
        if (row.isExpanded !== true) return move(rows.findIndex(({ node }) => node === row.node.parent));
        toggle(active);
        return true;
      case "n":
      case "N":
        return moveToFailure(1);
      case "p":
      case "P":
        return moveToFailure(-1);
      case " ":
        toggle(active);
        return true;
      case "Enter":
        onEnter();
        return true;
      default:
        return false;
    }
  }

  /** @param {number} index */
  function move(index) {
    if (index !== -1 || active === 0) select(index);
    return true;
  }

  /**
   * Goes to the next row that failed, open or not; from the last one to the first.
   *
   * @param {1 | -1} direction
   */
  function moveToFailure(direction) {
    const nodes = flatten(roots);
    const selected = rows[active]?.node;
    const at = selected === undefined ? -1 : nodes.indexOf(selected);
    const failed = nodes.flatMap(({ severity, level }, index) =>
      severity === severities.failure && level > 1 ? [index] : [],
    );
    const next =
      direction === 1
        ? (failed.find((index) => index > at) ?? failed[0])
        : (failed.findLast((index) => index < at) ?? failed.at(-1));
    const node = next === undefined ? undefined : nodes[next];
    if (node === undefined) return true;
    choice.collapsed = openedFor(choice.collapsed, node);
    if (node.line !== undefined) choice.showsLines = true;
    refresh(node);
    select(active, { isFar: true });
    return true;
  }
}

/** @param {import("./read-traces.js").Trace} trace */
function scaleOf({ start, spans, lines }) {
  // Spans of other traces may have begun long before. The trace's own start is a point of it in any case.
  const own = spans.filter(({ isLinked }) => !isLinked);
  const moments = [...lines, ...own.flatMap((span) => span.lines)].map(({ time }) => ({ start: time, end: time }));
  return createTimeScale([{ start, end: start }, ...own, ...moments]);
}

/** @param {boolean} hasPauses */
function columns(hasPauses) {
  const timeline = hasPauses ? "Timeline (gray: a pause, drawn short)" : "Timeline";
  return element(
    "div",
    { class: "columns", "aria-hidden": "true" },
    ...["Span", "Start", "Took", timeline].map((text) => element("span", {}, text)),
  );
}
