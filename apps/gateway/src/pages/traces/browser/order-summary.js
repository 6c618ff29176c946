// Runs in the browser.

import { element } from "./elements.js";
import { offsetText, readTime, timeText } from "./time-text.js";

/**
 * @import { Json } from "./read-traces.js"
 */

/** How an order's status is drawn. */
const statusClasses = new Map([
  ["REJECTED", "failed"],
  ["CANCELLED", "warning"],
  ["CONFIRMED", "good"],
  ["SHIPPED", "good"],
  ["DELIVERED", "good"],
]);

/**
 * What an order is now: status and total.
 *
 * @param {Json} order
 * @returns {readonly (HTMLElement | false)[]}
 */
export function orderFacts({ status, total, attention, pendingAction }) {
  const isWaiting = attention !== undefined;
  const kind = isWaiting ? "failed" : (statusClasses.get(status) ?? "");
  const pending = pendingAction === undefined || pendingAction === "PENDING_ACTION_UNSPECIFIED" ? "" : pendingAction;
  return [
    element("span", { class: `badge ${kind}` }, status),
    pending !== "" && element("span", { class: "badge" }, `${pending} requested`),
    total !== undefined && element("span", {}, moneyText(total)),
  ];
}

/**
 * What happened to an order, in order of time. Each step leads to its trace.
 *
 * @param {readonly Json[]} events
 * @returns {HTMLElement}
 */
export function orderLife(events) {
  const first = readTime(events[0]?.time);
  return element(
    "ol",
    { class: "life", "aria-label": "What happened to the order" },
    ...events.map((event) => lifeItem(event, first)),
  );
}

/**
 * @param {Json} event
 * @param {number} first
 */
function lifeItem({ kind, time, actor, reason, traceId }, first) {
  const at = readTime(time);
  const [role] = String(actor).split(":");
  const isTrouble = kind === "REJECTED" || kind === "ATTENTION_RAISED";
  return element(
    "li",
    { class: isTrouble ? "failed" : "" },
    element("a", { href: `?trace=${traceId}` }, String(kind).replaceAll("_", " ").toLowerCase()),
    element(
      "time",
      { datetime: new Date(at).toISOString(), class: "muted" },
      at === first ? timeText(at, Date.now()) : offsetText(at - first),
    ),
    role !== "service" && element("span", { class: "muted" }, `by ${role}`),
    reason !== "" && element("span", {}, `“${reason}”`),
  );
}

/** @param {Json} money */
function moneyText({ currencyCode, minorUnits }) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency: currencyCode, currencyDisplay: "code" });
  const { maximumFractionDigits = 2 } = format.resolvedOptions();
  return format.format(Number(minorUnits) / 10 ** maximumFractionDigits);
}
