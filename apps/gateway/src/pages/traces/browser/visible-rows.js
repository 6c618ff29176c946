// Runs in the browser.

import { ancestorsOf, flatten, severities } from "./trace-tree.js";

/**
 * @import { TraceNode } from "./trace-tree.js"
 *
 * @typedef {object} RowChoice What is shown of a tree.
 * @property {ReadonlySet<string>} collapsed The ids of the nodes whose children are hidden.
 * @property {boolean} showsLines
 * @property {boolean} onlyTrouble
 *
 * @typedef {object} Row
 * @property {TraceNode} node
 * @property {boolean | undefined} isExpanded Undefined where it has no children.
 * @property {number} position Among the children of its parent, from 1.
 * @property {number} size How many they are.
 */

/** A tree of more rows is shown with its spans of the third level closed, except for those that hold trouble. */
const openRowsMax = 400;
const closedLevel = 3;

/**
 * The rows of a tree from top to bottom.
 *
 * @param {readonly TraceNode[]} roots
 * @param {RowChoice} choice
 * @returns {Row[]}
 */
export function visibleRows(roots, { collapsed, showsLines, onlyTrouble }) {
  const isShown = (/** @type {TraceNode} */ node) =>
    (showsLines || node.line === undefined) &&
    (!onlyTrouble || node.severity !== severities.none || node.severityBelow !== severities.none);
  const shown = roots.filter(isShown);
  /** @type {Map<TraceNode, Row>} */
  const rows = new Map();
  const rowsOf = (/** @type {readonly TraceNode[]} */ siblings) => {
    for (const [index, node] of siblings.entries())
      rows.set(node, { node, isExpanded: undefined, position: index + 1, size: siblings.length });
    return siblings;
  };
  const nodes = flatten(rowsOf(shown), (node) => {
    const children = node.children.filter(isShown);
    const row = rows.get(node);
    if (row === undefined || children.length === 0) return [];
    row.isExpanded = !collapsed.has(node.id);
    return row.isExpanded ? rowsOf(children) : [];
  });
  return nodes.flatMap((node) => rows.get(node) ?? []);
}

/**
 * The nodes that are closed when a tree is shown first.
 *
 * @param {readonly TraceNode[]} roots
 * @returns {Set<string>}
 */
export function collapsedAtFirst(roots) {
  const nodes = flatten(roots);
  if (nodes.length <= openRowsMax) return new Set();
  const closed = nodes.filter(
    ({ level, children, severityBelow }) =>
      level >= closedLevel && children.length > 0 && severityBelow !== severities.failure,
  );
  return new Set(closed.map(({ id }) => id));
}

/**
 * The nodes that can be closed.
 *
 * @param {readonly TraceNode[]} roots
 * @returns {Set<string>}
 */
export function allCollapsible(roots) {
  const parents = flatten(roots).filter(({ level, children }) => level > 1 && children.length > 0);
  return new Set(parents.map(({ id }) => id));
}

/**
 * What is closed without the nodes above this one.
 *
 * @param {ReadonlySet<string>} collapsed
 * @param {TraceNode} node
 * @returns {Set<string>}
 */
export function openedFor(collapsed, node) {
  const above = new Set(ancestorsOf(node).map(({ id }) => id));
  return new Set([...collapsed].filter((id) => !above.has(id)));
}
