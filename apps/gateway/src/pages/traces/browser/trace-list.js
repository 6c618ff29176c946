// Runs in the browser.

import { checkbox, counted, element } from "./elements.js";
import { durationText, timeText } from "./time-text.js";

/**
 * @import { Summary } from "./read-traces.js"
 *
 * @typedef {object} ListChoice
 * @property {boolean} onlyFailed
 * @property {boolean} onlyOrders
 */

/**
 * Shows a list of traces, with what of them to show.
 *
 * @param {readonly Summary[]} summaries
 * @param {ListChoice} choice Is changed by the reader.
 * @returns {HTMLElement}
 */
export function traceList(summaries, choice) {
  const list = element("ol", { class: "traces" });
  const count = element("span", { class: "muted" });
  const show = () => {
    const shown = summaries.filter(
      ({ isFailed, orderIds }) => (!choice.onlyFailed || isFailed) && (!choice.onlyOrders || orderIds.length > 0),
    );
    list.replaceChildren(...shown.map(traceItem));
    count.textContent = shown.length === 0 ? "No trace is like that." : counted(shown.length, "trace");
  };
  const choices = element(
    "p",
    { class: "choices" },
    checkbox("Only failed", choice.onlyFailed, (isChecked) => {
      choice.onlyFailed = isChecked;
      show();
    }),
    checkbox("Only with an order", choice.onlyOrders, (isChecked) => {
      choice.onlyOrders = isChecked;
      show();
    }),
    count,
  );
  show();
  return element("div", {}, choices, list);
}

/** Of an id, where it stands among others. UUIDs of one moment begin alike. */
const idCharsShown = 12;
const ordersShownMax = 2;

/** @param {Summary} summary */
function traceItem({ traceId, name, service, start, ms, spanCount, isFailed, orderIds }) {
  const orders = orderIds.slice(0, ordersShownMax).map((id) => orderLink(id));
  const more = orderIds.length - orders.length;
  return element(
    "li",
    { class: isFailed ? "failed" : "" },
    element("time", { datetime: new Date(start).toISOString() }, timeText(start, Date.now())),
    element(
      "a",
      { class: "name", href: `?trace=${traceId}` },
      element("span", { class: "title" }, name),
      element("span", { class: "muted" }, service),
    ),
    element(
      "span",
      { class: "orders" },
      ...orders,
      more > 0 && element("span", { class: "muted" }, `and ${more} more`),
    ),
    element("span", { class: "number muted" }, counted(spanCount, "span")),
    element("span", { class: "number" }, durationText(ms)),
    element("span", { class: "result" }, isFailed && element("span", { class: "badge failed" }, "failed")),
  );
}

/**
 * A link to the whole life of an order.
 *
 * @param {string} id
 */
export function orderLink(id) {
  const text = `order …${id.slice(-idCharsShown)}`;
  return element("a", { class: "id", href: `?q=${encodeURIComponent(id)}`, title: id }, text);
}
