import type { MadeSpan, MadeTrace } from "./trace-fixtures.ts";

// Traces as a running system makes them, shortened: an order that was confirmed and shipped, one whose card was
// declined, one whose mail is a dead letter.

export const confirmedId = "01900000-0000-7000-8000-00000000c0de";
export const declinedId = "01900000-0000-7000-8000-0000000dec11";
export const deadId = "01900000-0000-7000-8000-00000000dead";
export const requestId = "checkout-page-17";

const startMs = Date.UTC(2026, 10, 27, 9, 30);
const secondMs = 1_000;

const sql = (service: string, name: string, at: number, ms: number): MadeSpan => ({
  ...{ name, service, at, ms, kind: "CLIENT" },
  attributes: {
    "db.system.name": "postgresql",
    "db.namespace": `rialto|${service}`,
    "db.query.text": `with changed as (\n  select * from jsonb_to_recordset($1)\n)\n${name.toLowerCase()} ...`,
  },
});

const rpc = (service: string, method: string, at: number, ms: number, o: Partial<MadeSpan> = {}): MadeSpan => ({
  ...{ name: method, service, at, ms, kind: "SERVER", ...o },
  attributes: { "rpc.system.name": "connectrpc", "rpc.method": method, ...o.attributes },
});

const step = (name: string, orderId: string, at: number, ms: number, o: Partial<MadeSpan> = {}): MadeSpan => ({
  ...{ name: `checkout ${name}`, service: "order", at, ms, ...o },
  attributes: { "rialto.checkout.step": name, "rialto.order.id": orderId },
});

const process = (
  service: string,
  topic: string,
  orderId: string,
  at: number,
  ms: number,
  o: Partial<MadeSpan> = {},
): MadeSpan => ({
  ...{ name: `process ${topic}`, service, at, ms, kind: "CONSUMER", ...o },
  attributes: {
    "messaging.system.name": "bullmq",
    "messaging.destination.name": topic,
    "messaging.destination.subscription.name": service === "order" ? "checkout" : "order-mail",
    "rialto.order.id": orderId,
  },
});

const send = (topic: string, orderId: string, at: number, children: readonly MadeSpan[]): MadeSpan => ({
  ...{ name: `send ${topic}`, service: "order", at, ms: 1.7, kind: "PRODUCER", children },
  attributes: { "messaging.destination.name": topic, "rialto.order.id": orderId },
});

/** The request that places an order, with what follows from it. */
function placed(orderId: string, following: readonly MadeSpan[]): MadeSpan {
  return {
    ...{ name: "POST /api/orders", service: "gateway", at: 0, ms: 18.4, kind: "SERVER" },
    attributes: { "http.request.method": "POST", "http.route": "/api/orders", "http.response.status_code": "200" },
    lines: [{ at: 18.3, message: "request", fields: { route: "/api/orders", status: "200", ms: "18.3" } }],
    children: [
      rpc("order", "rialto.order.v1.OrderService/CreateOrder", 1.1, 16.2, {
        children: [
          rpc("product", "rialto.product.v1.ProductService/BatchGetProducts", 2, 3.1, {
            children: [sql("product", "SELECT product", 2.6, 1.2)],
          }),
          rpc("user", "rialto.user.v1.UserService/GetUser", 2.1, 2.4),
          {
            ...{ name: "group commit orders", service: "order", at: 6, ms: 10.8 },
            attributes: { "rialto.order.id": orderId },
            children: [sql("order", "INSERT order_event", 6.9, 8.8)],
          },
          send("order.placed", orderId, 19.2, following),
        ],
      }),
    ],
  };
}

const reserved = (orderId: string, at: number) =>
  step("reserve-stock", orderId, at, 7.4, {
    children: [
      rpc("product", "rialto.product.v1.InventoryService/ReserveStock", at + 0.6, 6.1, {
        children: [sql("product", "UPDATE stock", at + 1.4, 4.2)],
      }),
    ],
  });

const mailed = (topic: string, orderId: string, at: number): MadeSpan =>
  send(topic, orderId, at, [
    process("notification", topic, orderId, at + 4, 11, {
      children: [{ name: "send mail", service: "notification", at: at + 8, ms: 6.2, kind: "CLIENT" }],
    }),
  ]);

export const confirmed: readonly MadeTrace[] = [
  {
    traceId: "c0".repeat(16),
    startMs,
    orderIds: [confirmedId],
    requestIds: [requestId],
    root: placed(confirmedId, [
      process("order", "order.placed", confirmedId, 24, 48, {
        children: [
          reserved(confirmedId, 25),
          step("authorize-payment", confirmedId, 36, 29, {
            children: [rpc("payment", "rialto.payment.v1.PaymentService/AuthorizePayment", 36.8, 27.2)],
          }),
          mailed("order.confirmed", confirmedId, 73),
        ],
      }),
    ]),
    linked: {
      ...{ name: "receive checkout", service: "order", at: 22, ms: 53, kind: "CONSUMER" },
      links: [{ traceId: "c0".repeat(16), spanId: "0000000000000008" }],
    },
  },
  {
    traceId: "c1".repeat(16),
    startMs: startMs + 95 * secondMs,
    orderIds: [confirmedId],
    requestIds: ["ship-1"],
    root: {
      ...{ name: "POST /api/orders/{id}:ship", service: "gateway", at: 0, ms: 9.6, kind: "SERVER" },
      children: [
        rpc("order", "rialto.order.v1.OrderService/ShipOrder", 0.8, 8.1),
        send("order.ship_requested", confirmedId, 12, [
          process("order", "order.ship_requested", confirmedId, 15, 32, {
            children: [
              step("capture-payment", confirmedId, 16, 21),
              step("commit-stock", confirmedId, 38, 6),
              mailed("order.shipped", confirmedId, 49),
            ],
          }),
        ]),
      ],
    },
  },
];

export const declined: readonly MadeTrace[] = [
  {
    traceId: "dc".repeat(16),
    startMs: startMs + 130 * secondMs,
    orderIds: [declinedId],
    requestIds: ["declined-1"],
    root: placed(declinedId, [
      process("order", "order.placed", declinedId, 24, 61, {
        children: [
          reserved(declinedId, 25),
          step("authorize-payment", declinedId, 36, 31, {
            failed: "PAYMENT_DECLINED",
            children: [
              rpc("payment", "rialto.payment.v1.PaymentService/AuthorizePayment", 36.8, 29.2, {
                attributes: { "rpc.response.status_code": "failed_precondition" },
                lines: [{ at: 65.9, message: "refused", fields: { reason: "PAYMENT_DECLINED" } }],
              }),
            ],
          }),
          step("undo reserve-stock", declinedId, 68, 9, {
            children: [rpc("product", "rialto.product.v1.InventoryService/ReleaseStock", 68.7, 7.8)],
          }),
          mailed("order.rejected", declinedId, 86),
        ],
      }),
    ]),
  },
];

const thrown = {
  "exception.type": "TypeError",
  "exception.message": "Cannot read properties of undefined (reading 'street')",
  "exception.stacktrace": "TypeError: Cannot read properties ...\n    at render (order-mail.ts:61:9)",
};

const attempts: readonly MadeSpan[] = [110, 5_200, 35_400].map((at, index) =>
  process("notification", "order.confirmed", deadId, at, 4.2, {
    failed: "TypeError",
    lines: [
      {
        ...{ at: at + 4, level: index === 2 ? "error" : "warn" },
        message: index === 2 ? "event failed too often and is a dead letter" : "event handler failed, retrying",
        fields: { subscription: "order-mail", attempts: String(index + 1), ...thrown },
      },
    ],
  }),
);

export const dead: readonly MadeTrace[] = [
  {
    traceId: "de".repeat(16),
    startMs: startMs + 150 * secondMs,
    orderIds: [deadId],
    requestIds: ["dead-1"],
    root: placed(deadId, [
      process("order", "order.placed", deadId, 24, 48, {
        children: [
          reserved(deadId, 25),
          step("authorize-payment", deadId, 36, 29),
          send("order.confirmed", deadId, 73, attempts),
        ],
      }),
    ]),
  },
];

/** A trace whose names are what an attacker would give them. */
export const hostileName = `<img src=x onerror="globalThis.isBroken = true"></span><script>globalThis.isBroken = true</script>`;
export const hostile: MadeTrace = {
  traceId: "ba".repeat(16),
  startMs: startMs + 20 * secondMs,
  root: {
    ...{ name: hostileName, service: hostileName, at: 0, ms: 3, failed: hostileName },
    attributes: { [hostileName]: hostileName },
    lines: [{ at: 1, level: "error", message: hostileName, fields: { "exception.message": hostileName } }],
  },
};

/** A trace of 5,000 spans and as many log lines, of which the last but one failed. */
export const large: MadeTrace = {
  traceId: "1a".repeat(16),
  startMs: startMs + 10 * secondMs,
  root: {
    ...{ name: "import of the catalog", service: "product", at: 0, ms: 60_000 },
    children: Array.from({ length: 4_999 }, (_, index) => ({
      ...sql("product", "INSERT product", index * 12, 9),
      lines: [{ at: index * 12 + 1, message: `row ${index}` }],
      ...(index === 4_997 ? { failed: "23505" } : {}),
    })),
  },
};

const quick = (name: string, index: number): MadeTrace => ({
  traceId: index.toString(16).padStart(32, "7"),
  startMs: startMs + index * 3_700,
  root: { ...{ name, service: "gateway", at: 0, ms: 2.4 + index, kind: "SERVER" } },
});

export const everyTrace: readonly MadeTrace[] = [
  ...confirmed,
  ...declined,
  ...dead,
  hostile,
  large,
  ...["GET /api/products", "POST /api/auth/login", "GET /api/orders/{id}", "POST /api/users"].map(quick),
];
