import type { DashboardSpec, PanelSpec, Query } from "./dashboard.ts";

const chart = (title: string, description: string, unit: string, ...queries: readonly Query[]): PanelSpec => ({
  ...{ kind: "chart", title, description, unit, queries },
});
const figure = (
  title: string,
  description: string,
  { unit = "short", badFrom, expr }: { readonly unit?: string; readonly badFrom?: number; readonly expr: string },
): PanelSpec => ({
  ...{ kind: "figure", title, description, unit, queries: [{ expr, legend: "" }] },
  ...(badFrom === undefined ? {} : { badFrom }),
});

/** A quantile of a histogram over all replicas, by some labels. */
const quantile = (q: number, histogram: string, by = "", filter = "") =>
  `histogram_quantile(${q}, sum by (le${by === "" ? "" : `, ${by}`}) (rate(${histogram}_bucket${filter}[$__rate_interval])))`;

/** Events: what becomes of orders and payments, how fast, and what is in the way. */
export const orders: DashboardSpec = {
  uid: "rialto-orders",
  title: "Rialto: orders",
  description: "What becomes of orders and payments, how fast, and what is in the way. See docs/operate.md.",
  hasServices: false,
  rows: [
    {
      title: "Now",
      panels: [
        figure("Orders placed in an hour", "At the rate of the last minutes.", {
          expr: `sum(rate(rialto_events_published_total{topic="order.placed"}[5m])) * 3600`,
        }),
        figure("Confirmed", "The share of the checkouts that ended in the last hour.", {
          unit: "percentunit",
          expr: `sum(increase(rialto_checkout_duration_seconds_count{outcome="CONFIRMED"}[1h])) / sum(increase(rialto_checkout_duration_seconds_count[1h]))`,
        }),
        figure("Queueing delay", "How long the first order in the queue has waited for its first attempt.", {
          unit: "s",
          badFrom: 5,
          expr: "max(rialto_orders_waiting_oldest_age_seconds)",
        }),
        figure("Wait for a person", "Orders and payments that an admin has to settle.", {
          badFrom: 1,
          expr: "sum(max by (service, reason) (rialto_attention))",
        }),
        figure("Dead letters", "Events that failed too often.", {
          badFrom: 1,
          expr: "sum(max by (service, subscription) (rialto_dead_letters))",
        }),
        figure("Orders shed in an hour", "New orders that were refused because too many wait.", {
          badFrom: 1,
          expr: "sum(increase(rialto_orders_shed_total[1h]))",
        }),
      ],
    },
    {
      title: "Checkout",
      panels: [
        chart("Transitions of orders", "Events of orders in a second, by topic.", "ops", {
          expr: `sum by (topic) (rate(rialto_events_published_total{topic=~"order[.].+"}[$__rate_interval]))`,
          legend: "{{topic}}",
        }),
        chart("Checkouts by outcome", "How checkouts ended, in a second.", "ops", {
          expr: "sum by (outcome) (rate(rialto_checkout_duration_seconds_count[$__rate_interval]))",
          legend: "{{outcome}}",
        }),
        chart(
          "From the order to its confirmation",
          "Of confirmed orders. Slow: look at the payment provider and at the queue.",
          "s",
          { expr: quantile(0.5, "rialto_checkout_duration_seconds", "", `{outcome="CONFIRMED"}`), legend: "half" },
          {
            expr: quantile(0.99, "rialto_checkout_duration_seconds", "", `{outcome="CONFIRMED"}`),
            legend: "99 of 100",
          },
        ),
        chart(
          "Orders with work left",
          "By state. They are read from the database, so not summed over replicas.",
          "short",
          {
            expr: "max by (state) (rialto_orders_unfinished)",
            legend: "{{state}}",
          },
        ),
        chart(
          "Queue of the checkout",
          "Orders that nobody has attempted, and how many were refused for their sake in a second.",
          "short",
          { expr: "max(rialto_orders_waiting)", legend: "waiting" },
          { expr: "sum(rate(rialto_orders_shed_total[$__rate_interval]))", legend: "shed in a second" },
        ),
        chart(
          "Queueing delay",
          "From an event to the first attempt to handle it, and the wait of the first order in the queue.",
          "s",
          { expr: quantile(0.5, "rialto_events_delay_seconds", "", `{subscription="checkout"}`), legend: "half" },
          { expr: quantile(0.99, "rialto_events_delay_seconds", "", `{subscription="checkout"}`), legend: "99 of 100" },
          { expr: "max(rialto_orders_waiting_oldest_age_seconds)", legend: "oldest now" },
        ),
      ],
    },
    {
      title: "Payments and stock",
      panels: [
        chart("Operations at the payment provider", "By operation and outcome, in a second.", "ops", {
          expr: "sum by (operation, outcome) (rate(rialto_payment_operations_total[$__rate_interval]))",
          legend: "{{operation}} {{outcome}}",
        }),
        chart("Reservations refused", "By reason, in a second. OUT_OF_STOCK: is a delivery not booked?", "ops", {
          expr: "sum by (reason) (rate(rialto_stock_refused_total[$__rate_interval]))",
          legend: "{{reason}}",
        }),
        chart(
          "Orders and payments that wait for a person",
          "By service and reason. Each has to be settled by an admin.",
          "short",
          { expr: "max by (service, reason) (rialto_attention)", legend: "{{service}} {{reason}}" },
        ),
      ],
    },
    {
      title: "Events",
      panels: [
        chart("Events handled", "Attempts by what became of them, in a second.", "ops", {
          expr: "sum by (outcome) (rate(rialto_events_handled_total[$__rate_interval]))",
          legend: "{{outcome}}",
        }),
        chart("Delay until the first attempt", "99 of 100 events, by subscription.", "s", {
          expr: quantile(0.99, "rialto_events_delay_seconds", "subscription"),
          legend: "{{subscription}}",
        }),
        chart("How long handlers take", "99 of 100 events, by subscription.", "s", {
          expr: quantile(0.99, "messaging_process_duration_seconds", "subscription"),
          legend: "{{subscription}}",
        }),
        chart("Outbox: not delivered", "Events that a subscription still waits for.", "short", {
          expr: "max by (service, subscription) (rialto_outbox_lag)",
          legend: "{{service}} to {{subscription}}",
        }),
        chart("Outbox: age of the oldest", "It grows while the queue or the subscriber is down.", "s", {
          expr: "max by (service, subscription) (rialto_outbox_oldest_age_seconds)",
          legend: "{{service}} to {{subscription}}",
        }),
        chart("Jobs in the queues", "Waiting or running. Each has up to 100 events.", "short", {
          expr: "max by (subscription) (rialto_queue_depth)",
          legend: "{{subscription}}",
        }),
        chart(
          "Events that are tried again",
          "Those that wait for their next attempt, and the age of the oldest in minutes.",
          "short",
          { expr: "max by (subscription) (rialto_inbox_pending)", legend: "{{subscription}}" },
          {
            expr: "max by (subscription) (rialto_inbox_oldest_age_seconds) / 60",
            legend: "{{subscription}}: age in minutes",
          },
        ),
        chart(
          "Dead letters and pauses",
          "Dead letters by subscription, and 1 where an operator paused it.",
          "short",
          { expr: "max by (subscription) (rialto_dead_letters)", legend: "{{subscription}}" },
          { expr: "max by (subscription) (rialto_subscription_paused)", legend: "{{subscription}} paused" },
        ),
        chart("Orders resumed", "Attempts to resume orders that no event advanced for 30 s.", "ops", {
          expr: "sum by (outcome) (rate(rialto_orders_resumed_total[$__rate_interval]))",
          legend: "{{outcome}}",
        }),
      ],
    },
  ],
};
