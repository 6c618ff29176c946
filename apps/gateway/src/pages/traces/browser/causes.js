// Runs in the browser. Finds what went wrong: what a reader would look for in the tree.

import { fieldOf, shortName } from "./read-traces.js";
import { ancestorsOf, flatten, severities } from "./trace-tree.js";

/**
 * @import { Json, LogLine, Span } from "./read-traces.js"
 * @import { Severity, TraceNode } from "./trace-tree.js"
 *
 * @typedef {Readonly<Record<string, string>>} Meanings What the contract says of a reason, by its name.
 *
 * @typedef {object} Cause
 * @property {Severity} severity
 * @property {string} title What failed.
 * @property {string} word The reason, a code, or the class of an error.
 * @property {string} text What it means, or what the log says. May be empty.
 * @property {string} service Empty where there is none.
 * @property {number} count How often the same happened.
 * @property {TraceNode} [node] Where it happened for the last time.
 * @property {(found: Cause) => boolean} [isSame] Whether what was found in a trace is the same failure.
 */

/**
 * What went wrong in traces: the failed spans below which none failed, then what was refused and warnings that none of
 * them explains. What happened several times is there once.
 *
 * @param {readonly TraceNode[]} roots
 * @param {Meanings} meanings
 * @returns {Cause[]}
 */
export function causesInTraces(roots, meanings) {
  const nodes = flatten(roots);
  const holding = new Set(nodes.filter(isFailedSpan).flatMap(ancestorsOf));
  /** @type {Set<TraceNode>} */
  const origins = new Set(nodes.filter((node) => isFailedSpan(node) && !holding.has(node)));
  const explained = new Set([...origins].flatMap(ancestorsOf));
  for (const node of nodes.toReversed()) {
    if (node.severity === severities.none || node.level === 1 || explained.has(node) || origins.has(node)) continue;
    const above = ancestorsOf(node);
    if (above.some((one) => origins.has(one) || isFailedSpan(one))) continue;
    origins.add(node);
    for (const one of above) explained.add(one);
  }
  const causes = nodes.filter((node) => origins.has(node)).map((node) => causeOfNode(node, meanings));
  return grouped(causes).sort((a, b) => b.severity - a.severity);
}

/**
 * Why an order was rejected or waits for a person; undefined where neither is so.
 *
 * @param {Json} order
 * @param {Meanings} meanings
 * @returns {Cause | undefined}
 */
export function causeOfOrder({ status, rejectionReason, attention }, meanings) {
  const cause = { severity: severities.failure, service: "", count: 1 };
  if (attention?.reason !== undefined && attention.reason !== "REASON_UNSPECIFIED") {
    const { reason, detail } = attention;
    const text = [meanings[reason], detail === reason ? "" : detail].filter(Boolean).join(" ");
    return { ...cause, title: "The order waits for a person", word: reason, text, isSame: hasWord(reason) };
  }
  if (status !== "REJECTED") return undefined;
  const word = String(rejectionReason ?? "");
  return { ...cause, title: "The order was rejected", word, text: meanings[word] ?? "", isSame: hasWord(word) };
}

/**
 * @param {string} word
 * @returns {(found: Cause) => boolean}
 */
function hasWord(word) {
  return (found) => word !== "" && found.word === word;
}

/**
 * @param {Json} letter
 * @returns {Cause}
 */
export function causeOfDeadLetter({ subscription, topic, error, attempts }) {
  const [, word = "", text = ""] = /^(\w+): (.*)$/s.exec(error) ?? ["", "", error];
  const isAttempt = (/** @type {TraceNode} */ { span }) =>
    span !== undefined &&
    fieldOf(span.attributes, "messaging.destination.name") === topic &&
    fieldOf(span.attributes, "messaging.destination.subscription.name") === subscription;
  return {
    severity: severities.failure,
    title: `Dead letter: “${subscription}” gave up ${topic} after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
    word,
    text,
    service: "",
    count: 1,
    isSame: ({ node }) => node !== undefined && [node, ...ancestorsOf(node)].some(isAttempt),
  };
}

/**
 * What went wrong with an order, then in its traces. What is in both is there once, and leads to the span.
 *
 * @param {readonly Cause[]} ofOrder
 * @param {readonly Cause[]} inTraces
 * @returns {Cause[]}
 */
export function mergedCauses(ofOrder, inTraces) {
  const left = new Set(inTraces);
  const led = ofOrder.map((cause) => {
    const same = inTraces.find((found) => left.has(found) && cause.isSame?.(found) === true);
    if (same?.node === undefined) return cause;
    left.delete(same);
    return { ...cause, service: [same.title, same.service].filter(Boolean).join(", "), node: same.node };
  });
  return [...led, ...left];
}

/**
 * The reason of a span's failure or refusal: a word from a short list.
 *
 * @param {Span} span
 */
export function reasonOfSpan({ attributes, lines }) {
  const reasons = lines.map(({ fields }) => fieldOf(fields, "reason"));
  return (
    fieldOf(attributes, "error.type") ||
    reasons.findLast((reason) => reason !== "") ||
    fieldOf(attributes, "rpc.response.status_code")
  );
}

/**
 * What a log line says of the error that it has: "TypeError: x is not a function". Empty without one.
 *
 * @param {LogLine} line
 */
export function errorOfLine({ fields }) {
  return [fieldOf(fields, "exception.type"), fieldOf(fields, "exception.message")].filter(Boolean).join(": ");
}

/**
 * What a log line says besides its message, in few words: its error, or the reason of a refusal.
 *
 * @param {LogLine} line
 */
export function noteOfLine(line) {
  return errorOfLine(line) || fieldOf(line.fields, "reason");
}

/** @param {TraceNode} node */
function isFailedSpan({ span, severity }) {
  return span !== undefined && severity === severities.failure;
}

/**
 * @param {TraceNode} node
 * @param {Meanings} meanings
 * @returns {Cause}
 */
function causeOfNode(node, meanings) {
  const { span, line, severity } = node;
  if (span === undefined) {
    const service = line?.service ?? "";
    const text = line === undefined ? "" : errorOfLine(line);
    return { severity, title: line?.message ?? "", word: line?.level ?? "", text, service, count: 1, node };
  }
  const word = reasonOfSpan(span);
  const logged = node.children.map(({ line: own }) => (own === undefined ? "" : errorOfLine(own)));
  const text = meanings[word] ?? (span.message || logged.findLast((error) => error !== "") || "");
  return { severity, title: shortName(span.name), word, text, service: span.service, count: 1, node };
}

/**
 * @param {readonly Cause[]} causes
 * @returns {Cause[]}
 */
function grouped(causes) {
  /** @type {Map<string, Cause>} */
  const groups = new Map();
  for (const cause of causes) {
    const { title, word, text, service } = cause;
    const key = JSON.stringify([title, word, text, service]);
    groups.set(key, { ...cause, count: (groups.get(key)?.count ?? 0) + 1 });
  }
  return [...groups.values()];
}
