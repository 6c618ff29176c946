import { callerNames } from "../../packages/service/src/service-name.ts";

/** One alert, and two cases in which promtool tests it. */
export interface Alert {
  readonly name: string;
  /** page: somebody looks now. ticket: somebody looks in working hours. */
  readonly severity: "page" | "ticket";
  readonly expr: string;
  /** How long it must hold: "5m". */
  readonly holds: string;
  /** One sentence; `{{ $labels.service }}` stands for a label. */
  readonly summary: string;
  /** Series by which it fires, each with its values a minute apart, and the labels of what fires. */
  readonly fires: AlertCase & { readonly labels: Readonly<Record<string, string>> };
  /** Series by which it does not, although something like it happens. */
  readonly rests: AlertCase;
}

/** Series as promtool writes them: "0+1x9" begins at 0 and grows by 1 for 9 more minutes. */
export interface AlertCase {
  readonly series: Readonly<Record<string, string>>;
}

const internalCalls = `rpc_server_call_duration_seconds_count{rpc_response_status_code="internal"}`;

/** All alerts. docs/operate.md has a section for each: what it means and what to do. */
export const alerts: readonly Alert[] = [
  {
    name: "RialtoProcessDown",
    severity: "page",
    expr: `up{job="rialto"} == 0`,
    holds: "2m",
    summary: "{{ $labels.instance }} cannot be scraped.",
    fires: {
      series: { 'up{job="rialto",instance="order:9464"}': "1 0x9" },
      labels: { job: "rialto", instance: "order:9464" },
    },
    rests: { series: { 'up{job="rialto",instance="order:9464"}': "1 1 0 1x9" } },
  },
  {
    // A container that has ended leaves DNS and what the orchestrator lists: then there is no target that is down.
    name: "RialtoServiceMissing",
    severity: "page",
    expr: callerNames.map((service) => `absent(rialto_ready{service="${service}"})`).join(" or "),
    holds: "2m",
    summary: "No replica of {{ $labels.service }} is scraped.",
    fires: { series: readySeries({ order: "1 stale" }), labels: { service: "order" } },
    rests: { series: readySeries({ order: "1 1 stale 1x6", user: "0x9" }) },
  },
  {
    name: "RialtoNotReady",
    severity: "page",
    expr: "min by (service, instance) (rialto_ready) == 0",
    holds: "5m",
    summary: "{{ $labels.service }} on {{ $labels.instance }} is not ready.",
    fires: {
      series: {
        'rialto_ready{service="order",instance="a"}': "1 0x9",
        'rialto_ready{service="order",instance="b"}': "1x9",
      },
      labels: { service: "order", instance: "a" },
    },
    rests: { series: { 'rialto_ready{service="order",instance="a"}': "1 0 0 0 1x9" } },
  },
  {
    name: "RialtoQueueingDelay",
    severity: "page",
    expr: "max by (service) (rialto_orders_waiting_oldest_age_seconds) > 5",
    holds: "2m",
    summary: "Orders wait longer than 5 s for their first attempt.",
    fires: {
      series: { 'rialto_orders_waiting_oldest_age_seconds{service="order",instance="a"}': "0 6 8 9x9" },
      labels: { service: "order" },
    },
    rests: { series: { 'rialto_orders_waiting_oldest_age_seconds{service="order",instance="a"}': "0 1 9 2 2x9" } },
  },
  {
    name: "RialtoOrdersShed",
    severity: "page",
    expr: "sum by (service) (increase(rialto_orders_shed_total[5m])) > 0",
    holds: "2m",
    summary: "New orders are refused because too many wait.",
    fires: {
      series: { 'rialto_orders_shed_total{service="order",instance="a"}': "0 0 5+5x9" },
      labels: { service: "order" },
    },
    rests: { series: { 'rialto_orders_shed_total{service="order",instance="a"}': "7x12" } },
  },
  {
    name: "RialtoRequestsShed",
    severity: "ticket",
    expr: "sum by (service) (rate(rialto_requests_shed_total[5m])) > 1",
    holds: "5m",
    summary: "The gateways refuse more than one request in a second because they are too busy.",
    fires: {
      series: { 'rialto_requests_shed_total{service="gateway",instance="a"}': "0+120x12" },
      labels: { service: "gateway" },
    },
    rests: { series: { 'rialto_requests_shed_total{service="gateway",instance="a"}': "0+30x12" } },
  },
  {
    name: "RialtoAttention",
    severity: "ticket",
    expr: "max by (service, reason) (rialto_attention) > 0",
    holds: "10m",
    summary: "The {{ $labels.service }} service has something that waits for a person: {{ $labels.reason }}.",
    fires: {
      series: {
        'rialto_attention{service="order",reason="STOCK_LOST",instance="a"}': "0 1x14",
        'rialto_attention{service="order",reason="CAPTURE_REFUSED",instance="a"}': "0x15",
      },
      labels: { service: "order", reason: "STOCK_LOST" },
    },
    rests: { series: { 'rialto_attention{service="order",reason="STOCK_LOST",instance="a"}': "0 1x5 0x9" } },
  },
  {
    name: "RialtoDeadLetters",
    severity: "ticket",
    expr: "max by (service, subscription) (rialto_dead_letters) > 0",
    holds: "1m",
    summary: "{{ $labels.subscription }} of {{ $labels.service }} has events that failed too often.",
    fires: {
      series: { 'rialto_dead_letters{service="notification",subscription="order-mail",instance="a"}': "0 2x9" },
      labels: { service: "notification", subscription: "order-mail" },
    },
    rests: { series: { 'rialto_dead_letters{service="notification",subscription="order-mail",instance="a"}': "0x9" } },
  },
  {
    name: "RialtoBreakerOpen",
    severity: "page",
    // It is half-open while a probe waits for an answer, which a replica that hangs lets it do most of the time.
    expr: `sum by (service, upstream) (rialto_upstream_replicas{state!="closed"}) > 0`,
    holds: "2m",
    summary: "{{ $labels.service }} does not call a replica of {{ $labels.upstream }}: it fails or cannot be reached.",
    fires: {
      series: {
        'rialto_upstream_replicas{service="gateway",upstream="order",state="open",instance="a"}': "0 1 0 1 0 1 0 1",
        'rialto_upstream_replicas{service="gateway",upstream="order",state="half-open",instance="a"}':
          "0 0 1 0 1 0 1 0",
        'rialto_upstream_replicas{service="gateway",upstream="order",state="closed",instance="a"}': "2 1x6",
      },
      labels: { service: "gateway", upstream: "order" },
    },
    rests: {
      series: {
        'rialto_upstream_replicas{service="gateway",upstream="order",state="open",instance="a"}': "0 1 0x9",
        'rialto_upstream_replicas{service="gateway",upstream="order",state="half-open",instance="a"}': "0 0 1 0x8",
        'rialto_upstream_replicas{service="gateway",upstream="order",state="closed",instance="a"}': "2 1 1 2x8",
      },
    },
  },
  {
    name: "RialtoQueueUnreachable",
    severity: "page",
    expr: "max by (service) (rialto_queue_reachable) == 0",
    holds: "1m",
    summary: "No replica of {{ $labels.service }} reaches the job queue.",
    fires: {
      series: {
        'rialto_queue_reachable{service="order",instance="a"}': "1 0x5",
        'rialto_queue_reachable{service="order",instance="b"}': "1 0x5",
      },
      labels: { service: "order" },
    },
    rests: {
      series: {
        'rialto_queue_reachable{service="order",instance="a"}': "1 0x5",
        'rialto_queue_reachable{service="order",instance="b"}': "1 0 1x4",
      },
    },
  },
  {
    name: "RialtoOutboxLag",
    severity: "page",
    expr:
      "max by (service, subscription) (rialto_outbox_oldest_age_seconds) > 60" +
      " unless on (subscription) max by (subscription) (rialto_subscription_paused) == 1",
    holds: "3m",
    summary: "Events of {{ $labels.service }} for {{ $labels.subscription }} are not delivered.",
    fires: {
      series: {
        'rialto_outbox_oldest_age_seconds{service="order",subscription="order-mail",instance="a"}': "0+60x9",
        'rialto_subscription_paused{service="notification",subscription="order-mail",instance="b"}': "0x9",
      },
      labels: { service: "order", subscription: "order-mail" },
    },
    rests: {
      series: {
        'rialto_outbox_oldest_age_seconds{service="order",subscription="order-mail",instance="a"}': "0+60x9",
        'rialto_subscription_paused{service="notification",subscription="order-mail",instance="b"}': "1x9",
      },
    },
  },
  {
    name: "RialtoSubscriptionPaused",
    severity: "ticket",
    expr: "max by (service, subscription) (rialto_subscription_paused) == 1",
    holds: "1h",
    summary: "{{ $labels.subscription }} of {{ $labels.service }} has been paused for an hour.",
    fires: {
      series: { 'rialto_subscription_paused{service="order",subscription="checkout",instance="a"}': "1x70" },
      labels: { service: "order", subscription: "checkout" },
    },
    rests: {
      series: { 'rialto_subscription_paused{service="order",subscription="checkout",instance="a"}': "1x30 0x40" },
    },
  },
  {
    name: "RialtoEventsLate",
    severity: "ticket",
    expr: "histogram_quantile(0.99, sum by (service, subscription, le) (rate(rialto_events_delay_seconds_bucket[10m]))) > 30",
    holds: "10m",
    summary: "Events for {{ $labels.subscription }} wait longer than 30 s for their first attempt.",
    fires: {
      series: {
        'rialto_events_delay_seconds_bucket{service="notification",subscription="order-mail",le="30"}': "0+10x30",
        'rialto_events_delay_seconds_bucket{service="notification",subscription="order-mail",le="60"}': "0+20x30",
        'rialto_events_delay_seconds_bucket{service="notification",subscription="order-mail",le="+Inf"}': "0+20x30",
      },
      labels: { service: "notification", subscription: "order-mail" },
    },
    rests: {
      series: {
        'rialto_events_delay_seconds_bucket{service="notification",subscription="order-mail",le="1"}': "0+20x30",
        'rialto_events_delay_seconds_bucket{service="notification",subscription="order-mail",le="+Inf"}': "0+20x30",
      },
    },
  },
  {
    name: "RialtoInternalErrors",
    severity: "ticket",
    // The series of a code begins with its first call, at 1: that is no increase.
    expr:
      `sum by (service, rpc_method) (increase(${internalCalls}[10m])) > 0` +
      ` or sum by (service, rpc_method) (${internalCalls} unless ${internalCalls} offset 10m) > 0`,
    holds: "1m",
    summary: "{{ $labels.rpc_method }} of {{ $labels.service }} fails by a defect.",
    fires: {
      series: {
        'rpc_server_call_duration_seconds_count{service="order",rpc_method="M",rpc_response_status_code="internal"}':
          "_ _ 1x9",
      },
      labels: { service: "order", rpc_method: "M" },
    },
    rests: {
      series: {
        'rpc_server_call_duration_seconds_count{service="order",rpc_method="M",rpc_response_status_code="not_found"}':
          "_ 1+9x9",
      },
    },
  },
  {
    name: "RialtoPaymentsUnanswered",
    severity: "page",
    expr:
      `sum by (service) (rate(rialto_payment_operations_total{outcome="UNKNOWN"}[5m]))` +
      " / sum by (service) (rate(rialto_payment_operations_total[5m])) > 0.1",
    holds: "3m",
    summary: "The payment provider leaves more than a tenth of what it is asked for without an answer.",
    fires: {
      series: {
        'rialto_payment_operations_total{service="payment",operation="AUTHORIZE",outcome="APPROVED"}': "0+10x12",
        'rialto_payment_operations_total{service="payment",operation="AUTHORIZE",outcome="UNKNOWN"}': "0+5x12",
      },
      labels: { service: "payment" },
    },
    rests: {
      series: {
        'rialto_payment_operations_total{service="payment",operation="AUTHORIZE",outcome="DECLINED"}': "0+50x12",
        'rialto_payment_operations_total{service="payment",operation="AUTHORIZE",outcome="UNKNOWN"}': "0+1x12",
      },
    },
  },
  {
    name: "RialtoDatabasePoolFull",
    severity: "ticket",
    expr: "min_over_time(db_client_connection_pending_requests[5m]) > 0",
    holds: "5m",
    summary:
      "Statements of {{ $labels.service }} wait for a connection of the pool {{ $labels.db_client_connection_pool_name }}.",
    fires: {
      series: {
        'db_client_connection_pending_requests{service="order",db_client_connection_pool_name="order",instance="a"}':
          "3x15",
      },
      labels: { service: "order", db_client_connection_pool_name: "order", instance: "a" },
    },
    rests: {
      series: {
        'db_client_connection_pending_requests{service="order",db_client_connection_pool_name="order",instance="a"}':
          "9 0 9 9 0 9 9 0 9 9 0 9 9 0 9",
      },
    },
  },
  {
    name: "RialtoEventLoopLate",
    severity: "ticket",
    expr: `max by (instance) (nodejs_eventloop_delay_seconds{quantile="0.99"}) > 0.1`,
    holds: "5m",
    summary: "The event loop of {{ $labels.instance }} is late.",
    fires: {
      series: { 'nodejs_eventloop_delay_seconds{service="order",quantile="0.99",instance="a"}': "0.2x9" },
      labels: { instance: "a" },
    },
    rests: {
      series: {
        'nodejs_eventloop_delay_seconds{service="order",quantile="0.99",instance="a"}': "0.02x9",
        'nodejs_eventloop_delay_seconds{service="order",quantile="1",instance="a"}': "0.4x9",
      },
    },
  },
  {
    name: "RialtoHeapFull",
    severity: "ticket",
    expr: "max by (instance) (v8js_memory_heap_used_bytes / on (instance, service) v8js_memory_heap_limit_bytes) > 0.9",
    holds: "10m",
    summary: "The heap of {{ $labels.instance }} is nearly full.",
    fires: {
      series: {
        'v8js_memory_heap_used_bytes{service="order",instance="a"}': "95x15",
        'v8js_memory_heap_limit_bytes{service="order",instance="a"}': "100x15",
      },
      labels: { instance: "a" },
    },
    rests: {
      series: {
        'v8js_memory_heap_used_bytes{service="order",instance="a"}': "95 95 95 40x12",
        'v8js_memory_heap_limit_bytes{service="order",instance="a"}': "100x15",
      },
    },
  },
];

/** Each service's readiness for ten minutes: 1, or as it is given. */
function readySeries(given: Readonly<Partial<Record<(typeof callerNames)[number], string>>>): AlertCase["series"] {
  return Object.fromEntries(
    callerNames.map((service) => [`rialto_ready{service="${service}",instance="a"}`, given[service] ?? "1x9"]),
  );
}
