import type { DashboardSpec, PanelSpec, Query } from "./dashboard.ts";

const chart = (title: string, description: string, unit: string, ...queries: readonly Query[]): PanelSpec => ({
  ...{ kind: "chart", title, description, unit, queries },
});

const calls = "rpc_server_call_duration_seconds";
const requests = "http_server_request_duration_seconds";
const chosen = `service=~"$service"`;

/** Services: are they up, how much do they do, how fast, and what are they short of. */
export const services: DashboardSpec = {
  uid: "rialto-services",
  title: "Rialto: services",
  description: "Are the services up, what do they do, how fast, and what are they short of. See docs/operate.md.",
  hasServices: true,
  rows: [
    {
      title: "Up",
      panels: [
        chart("Ready", "1 while every replica of the service is ready; /ready says what it waits for.", "short", {
          expr: `min by (service) (rialto_ready{${chosen}})`,
          legend: "{{service}}",
        }),
        chart("Processes that are scraped", "By job and instance: 0 where Prometheus cannot reach it.", "short", {
          expr: `up{job="rialto"}`,
          legend: "{{instance}}",
        }),
        chart(
          "Job queue and Redis",
          "1 while a service reaches its job queue; 1 while a gateway counts requests by itself, as Redis is away.",
          "short",
          { expr: `min by (service) (rialto_queue_reachable{${chosen}})`, legend: "{{service}} reaches its queue" },
          { expr: "max(rialto_rate_limits_local)", legend: "a gateway counts by itself" },
        ),
        chart("Replicas called, by breaker", "open or half-open: it fails or cannot be reached.", "short", {
          expr: `sum by (upstream, state) (rialto_upstream_replicas{${chosen}})`,
          legend: "{{upstream}} {{state}}",
        }),
      ],
    },
    {
      title: "Gateway",
      panels: [
        chart("Requests by status", "In a second. 499: the client had gone.", "reqps", {
          expr: `sum by (http_response_status_code) (rate(${requests}_count[$__rate_interval]))`,
          legend: "{{http_response_status_code}}",
        }),
        chart("Slowest routes", "99 of 100 requests, of the ten slowest routes.", "s", {
          expr: `topk(10, histogram_quantile(0.99, sum by (le, http_route) (rate(${requests}_bucket[$__rate_interval]))))`,
          legend: "{{http_route}}",
        }),
        chart("Requests refused for the load", "In a second, by gateway.", "reqps", {
          expr: "sum by (instance) (rate(rialto_requests_shed_total[$__rate_interval]))",
          legend: "{{instance}}",
        }),
      ],
    },
    {
      title: "Calls",
      panels: [
        chart("Calls", "In a second, by service.", "reqps", {
          expr: `sum by (service) (rate(${calls}_count{${chosen}}[$__rate_interval]))`,
          legend: "{{service}}",
        }),
        chart(
          "Calls that are not ok",
          "In a second, by service and code; the first of a code draws its line at 0. internal: a defect.",
          "reqps",
          {
            expr: `sum by (service, rpc_response_status_code) (rate(${calls}_count{${chosen},rpc_response_status_code!="ok"}[$__rate_interval]))`,
            legend: "{{service}} {{rpc_response_status_code}}",
          },
        ),
        chart("How long calls take", "99 of 100, by service.", "s", {
          expr: `histogram_quantile(0.99, sum by (le, service) (rate(${calls}_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{service}}",
        }),
        chart("Busiest methods", "Calls in a second, of the ten busiest.", "reqps", {
          expr: `topk(10, sum by (rpc_method) (rate(${calls}_count{${chosen}}[$__rate_interval])))`,
          legend: "{{rpc_method}}",
        }),
        chart("Slowest methods", "99 of 100 calls, of the ten slowest.", "s", {
          expr: `topk(10, histogram_quantile(0.99, sum by (le, rpc_method) (rate(${calls}_bucket{${chosen}}[$__rate_interval]))))`,
          legend: "{{rpc_method}}",
        }),
        chart("Retries of calls", "Further attempts in a second, by the service that was called.", "reqps", {
          expr: `sum by (upstream) (rate(rialto_upstream_retries_total{${chosen}}[$__rate_interval]))`,
          legend: "{{upstream}}",
        }),
      ],
    },
    {
      title: "Postgres",
      panels: [
        chart("Connections in use", "Of those that a pool may open, the fullest replica.", "percentunit", {
          expr: `max by (db_client_connection_pool_name) (db_client_connection_count{${chosen}} / on (instance, service, db_client_connection_pool_name) db_client_connection_max)`,
          legend: "{{db_client_connection_pool_name}}",
        }),
        chart("Waiting for a connection", "Statements and transactions, by pool.", "short", {
          expr: `sum by (db_client_connection_pool_name) (db_client_connection_pending_requests{${chosen}})`,
          legend: "{{db_client_connection_pool_name}}",
        }),
        chart("Connections at most", "What all replicas may open together: below Postgres' max_connections.", "short", {
          expr: `sum by (service) (db_client_connection_max{${chosen}})`,
          legend: "{{service}}",
        }),
      ],
    },
    {
      title: "Processes",
      panels: [
        chart("Event loop", "How late it was at most of the time: 99 of 100 moments. Above 0.1 s: too busy.", "s", {
          expr: `max by (instance) (nodejs_eventloop_delay_seconds{quantile="0.99"})`,
          legend: "{{instance}}",
        }),
        chart("Heap", "What is used of what it may take.", "percentunit", {
          expr: "max by (instance) (v8js_memory_heap_used_bytes / on (instance, service) v8js_memory_heap_limit_bytes)",
          legend: "{{instance}}",
        }),
        chart("Memory", "Physical memory of each process.", "bytes", {
          expr: "sum by (instance) (process_memory_usage_bytes)",
          legend: "{{instance}}",
        }),
      ],
    },
  ],
};
