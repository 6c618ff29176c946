/**
 * The rows that a shop has which has taken orders for 100 days, as one statement for each table. They are the mix of a
 * shop: of 1,000 orders 40 are cancelled, 30 wait to be shipped, 40 are on their way and the others were delivered.
 * What is rare (rejected, in need of attention, a mail that failed) is so 100 times, however many orders there are:
 * enough for a deep page, so that pages of as many rows are compared. One customer in a hundred orders is the same
 * one; every other has about 20. What is swept is there as long as it is kept: keys for 2 days, the outbox for 3, the
 * inbox for 14, the text of mails for 30.
 */
export interface TableRows {
  readonly table: string;
  readonly insert: string;
}

const days = 100;
/** How many orders have what is rare. */
const rareOrders = 100;
const products = 5_000;
const eventsOfBatch = 50;

/** The functions that the statements use. They stand in a schema of their own, to be dropped. */
export const functions = (orders: number) => `
  create schema grown;
  -- A UUIDv7 of a time. The kind keeps the ids of different things apart.
  create function grown.id(ms bigint, kind int, n bigint) returns uuid immutable parallel safe language sql
    return (lpad(to_hex(ms), 12, '0') || '70008' || to_hex(kind) || '00' || lpad(to_hex(n), 12, '0'))::uuid;
  create function grown.trace(n bigint) returns text immutable parallel safe language sql
    return '00-' || md5(n::text) || '-' || left(md5(n::text), 16) || '-01';
  create function grown.status(n bigint) returns text immutable parallel safe language sql
    return case when n % ${rareEvery(orders)} = 99 then 'REJECTED' when n % 100 < 4 then 'CANCELLED' when n % 100 < 7 then 'CONFIRMED'
      when n % 100 < 11 then 'SHIPPED' else 'DELIVERED' end;
  create function grown.at(ms bigint) returns timestamptz immutable parallel safe language sql
    return 'epoch'::timestamptz + ms * interval '1 millisecond';`;

/** Makes a table of the orders, with what the rows of the other tables say of them. */
export function sourceTable({ orders, nowMs }: { readonly orders: number; readonly nowMs: number }): string {
  const spanMs = days * 86_400_000;
  const customer = `case when n % 100 = 50 then 1 else 2 + (n * 7919) % ${customersOf(orders) - 1} end`;
  return `create unlogged table grown.source as
    select n, grown.status(n) as status, ms, grown.at(ms) as time, grown.trace(n) as trace, ${accountId(customer)} as user_id,
      grown.id(ms, 0, n) as order_id, grown.id(ms, 8, n) as payment_id
    from (select n, ${nowMs - spanMs} + n * ${spanMs} / ${orders} as ms from generate_series(1::bigint, ${orders}) as n) as o`;
}

const log = {
  REJECTED: ["PLACED", "REJECTED"],
  CANCELLED: ["PLACED", "STOCK_RESERVED", "CONFIRMED", "CANCEL_REQUESTED", "CANCELLED"],
  CONFIRMED: ["PLACED", "STOCK_RESERVED", "CONFIRMED"],
  SHIPPED: ["PLACED", "STOCK_RESERVED", "CONFIRMED", "SHIP_REQUESTED", "SHIPPED"],
  DELIVERED: ["PLACED", "STOCK_RESERVED", "CONFIRMED", "SHIP_REQUESTED", "SHIPPED", "DELIVERED"],
};
const payments = {
  REJECTED: ["AUTHORIZATION_STARTED", "DECLINED"],
  CANCELLED: ["AUTHORIZATION_STARTED", "AUTHORIZED", "VOID_STARTED", "VOIDED"],
  CONFIRMED: ["AUTHORIZATION_STARTED", "AUTHORIZED"],
  SHIPPED: ["AUTHORIZATION_STARTED", "AUTHORIZED", "CAPTURE_STARTED", "CAPTURED"],
  DELIVERED: ["AUTHORIZATION_STARTED", "AUTHORIZED", "CAPTURE_STARTED", "CAPTURED"],
};
const mails = {
  REJECTED: ["ORDER_REJECTED"],
  CANCELLED: ["ORDER_CONFIRMED", "ORDER_CANCELLED"],
  CONFIRMED: ["ORDER_CONFIRMED"],
  SHIPPED: ["ORDER_CONFIRMED", "ORDER_SHIPPED"],
  DELIVERED: ["ORDER_CONFIRMED", "ORDER_SHIPPED", "ORDER_DELIVERED"],
};
const requests = {
  REJECTED: ["AUTHORIZE"],
  CANCELLED: ["AUTHORIZE", "VOID"],
  CONFIRMED: ["AUTHORIZE"],
  SHIPPED: ["AUTHORIZE", "CAPTURE"],
  DELIVERED: ["AUTHORIZE", "CAPTURE"],
};

/** A lateral join: the kinds that an order of each status has, and the place of each. */
function each(kinds: Readonly<Record<string, readonly string[]>>): string {
  const cases = Object.entries(kinds).map(([status, list]) => `when '${status}' then array['${list.join("','")}']`);
  return `cross join lateral unnest(case status ${cases.join(" ")} end) with ordinality as e (kind, at)`;
}

/** Returns the statements that fill the tables with so many orders, the newest of them placed at `nowMs`. */
export function tableRows(o: {
  readonly orders: number;
  readonly nowMs: number;
  /** Of an account, whose password all have. */
  readonly passwordHash: string;
}): readonly TableRows[] {
  const { orders, nowMs } = o;
  const customers = customersOf(orders);
  const of = "grown.source as o";
  const newer = (kept: number) => `(select * from ${of} where n > ${Math.floor(orders * (1 - kept / days))}) as o`;
  const orderId = "order_id";
  const time = "time";
  const trace = "trace";
  const items = `jsonb_build_array(jsonb_build_object('productId', ${productId(`1 + n % ${products}`)}, 'name', 'Teapot of clay',
    'unitPrice', '1250', 'quantity', 2, 'total', '2500'))`;
  return [
    {
      table: `"user".account`,
      insert: `(id, version, email, name, role, password_hash, create_time, update_time, email_confirm_time)
        select ${accountId("n")}, 1, 'customer-' || n || '@grown.example', 'Ada Lovelace', 'CUSTOMER', '${o.passwordHash}', now(), now(), now()
        from generate_series(1::bigint, ${customers}) as n`,
    },
    {
      table: `"user".session`,
      insert: `(id, account_id, create_time, expire_time) select grown.id(${nowMs}, 2, n), ${accountId("n")}, now(),
        now() + interval '30 days' from generate_series(1::bigint, ${customers} / 10) as n`,
    },
    {
      table: `"user".refresh_token`,
      insert: `(hash, session_id, create_time, expire_time, is_signed) select sha256(n::text::bytea), grown.id(${nowMs}, 2, n), now(),
        now() + interval '30 days', true from generate_series(1::bigint, ${customers} / 10) as n`,
    },
    {
      table: "product.product",
      insert: `(id, name, description, category, price, currency, active, search_text, create_time, update_time)
        select ${productId("n")}, 'Teapot ' || n, 'Of clay', case when n % 1000 = 7 then 'rare' else 'common' end, 1250, 'EUR', n % 10 > 0,
          'teapot ' || n || ' of clay ' || md5(n::text), now(), now() from generate_series(1::bigint, ${products}) as n`,
    },
    {
      table: "product.stock",
      insert: `(product_id, on_hand, reserved, received, shipped) select ${productId("n")}, 1000000000, 100000000, 1000000000, 0
        from generate_series(1::bigint, ${products}) as n`,
    },
    {
      table: `"order".orders`,
      insert: `(id, version, user_id, status, items, currency, total, captured, refunded, payment_method, shipping_address,
          rejection_reason, attention_reason, attention_detail, attention_since, create_time, update_time)
        select ${orderId}, case status ${counts(log)} end, user_id, status, ${items}, 'EUR', 2500,
          case when status in ('SHIPPED', 'DELIVERED') then 2500 else 0 end, 0, 'pm_test_approved',
          '{"name": "Ada Lovelace", "lines": ["1 Main Street"], "city": "London", "postalCode": "N1 1AA", "countryCode": "GB"}',
          case when status = 'REJECTED' then 'PAYMENT_DECLINED' end, case when n % ${rareEvery(orders)} = 4 then 'CAPTURE_REFUSED' end,
          case when n % ${rareEvery(orders)} = 4 then 'expired_card' end, case when n % ${rareEvery(orders)} = 4 then ${time} end, ${time}, ${time}
        from ${of}`,
    },
    {
      table: `"order".order_event`,
      insert: `(subject_id, version, id, type, payload, actor, reason, traceparent, time)
        select ${orderId}, at, grown.id(ms, at::int, n), kind,
          case when kind = 'PLACED' then jsonb_build_object('userId', user_id, 'items', ${items}, 'currency', 'EUR', 'total', '2500',
            'paymentMethod', 'pm_test_approved') when kind = 'SHIPPED' then '{"captured": "2500"}' else '{}' end,
          'user:' || user_id, '', ${trace}, ${time}
        from ${of} ${each(log)}`,
    },
    {
      table: `"order".audit_entry`,
      insert: `(id, time, actor, method, subject, changes, request_id)
        select grown.id(ms, at::int, n), ${time}, 'admin:' || ${accountId(`n % 5`)}, case when n % 5000 = 20 then 'CancelOrder' when at = 4 then 'ShipOrder' else 'DeliverOrder' end,
          'order:' || ${orderId}, '[{"field": "status", "before": "CONFIRMED", "after": "SHIPPED"}]', grown.id(ms, 1, n)::text
        from ${of} ${each(log)} where kind in ('SHIP_REQUESTED', 'DELIVERED')`,
    },
    {
      table: `"order".outbox`,
      insert: `(event_id, topic, subject, version, time, traceparent, payload, batch_id)
        select grown.id(ms, at::int, n), 'order.' || lower(kind), ${orderId}::text, at, ${time}, ${trace},
          jsonb_build_object('orderId', ${orderId}, 'kind', kind, 'userId', user_id), ${batchId(`n / ${eventsOfBatch}`)}
        from ${newer(3)} ${each(log)}`,
    },
    {
      table: `"order".batch`,
      insert: `(id, create_time, settle_time) select ${batchId("n")}, now(), now() from generate_series(0::bigint, ${orders} / ${eventsOfBatch}) as n`,
    },
    {
      table: `"order".delivery`,
      insert: `(batch_id, subscription, topics, settle_time) select ${batchId("n")}, s, array['order.placed', 'order.confirmed'], now()
        from generate_series(${Math.floor((orders * (1 - 3 / days)) / eventsOfBatch)}::bigint, ${orders} / ${eventsOfBatch}) as n,
          unnest(array['checkout', 'order-mail']) as s`,
    },
    {
      table: `"order".idempotency`,
      insert: `(caller, method, key, fingerprint, response, create_time)
        select scope || user_id, 'rialto.order.v1.OrderService/CreateOrder', gen_random_uuid()::text, sha256(n::text::bytea),
          jsonb_build_object('order', jsonb_build_object('id', ${orderId}, 'userId', user_id, 'items', ${items})), ${time}
        from ${newer(2)}, unnest(array['user:', 'CUSTOMER:']) as scope`,
    },
    {
      table: `"order".inbox`,
      insert: `(subscription, event_id, time) select 'checkout', grown.id(ms, at::int, n), ${time} from ${newer(14)} ${each(log)}
        where kind in ('PLACED', 'STOCK_RESERVED', 'SHIP_REQUESTED')`,
    },
    {
      table: "payment.payment",
      insert: `(id, version, order_id, user_id, status, amount, currency, captured, refunded, payment_method, create_time, update_time)
        select payment_id, case status ${counts(payments)} end, ${orderId}, user_id,
          case status when 'REJECTED' then 'DECLINED' when 'CANCELLED' then 'VOIDED' when 'CONFIRMED' then 'AUTHORIZED' else 'CAPTURED' end,
          2500, 'EUR', case when status in ('SHIPPED', 'DELIVERED') then 2500 else 0 end, 0, 'pm_test_approved', ${time}, ${time} from ${of}`,
    },
    {
      table: "payment.payment_event",
      insert: `(subject_id, version, id, type, payload, actor, reason, traceparent, time)
        select payment_id, at, grown.id(ms, 8 + at::int, n), kind,
          jsonb_build_object('orderId', ${orderId}, 'key', ${orderId} || '/' || kind, 'amount', '2500', 'reference', 'cn_' || ${orderId}),
          'order', '', ${trace}, ${time} from ${of} ${each(payments)}`,
    },
    {
      table: "payment.outbox",
      insert: `(event_id, topic, subject, version, time, traceparent, payload, batch_id)
        select grown.id(ms, 8 + at::int, n), 'payment.' || lower(kind), ${orderId}::text, at, ${time}, ${trace},
          jsonb_build_object('orderId', ${orderId}, 'kind', kind), ${batchId(`n / ${eventsOfBatch}`)}
        from ${newer(3)} ${each(payments)} where kind in ('AUTHORIZED', 'CAPTURED', 'VOIDED')`,
    },
    {
      table: "card_network.entry",
      insert: `(key, kind, authorization_key, order_reference, amount, currency, payment_method, outcome, reference, create_time, answer_time)
        select ${orderId} || '/' || kind, kind, ${orderId} || '/AUTHORIZE', ${orderId}::text, 2500, 'EUR', 'pm_test_approved',
          case when status = 'REJECTED' then 'DECLINED' else 'APPROVED' end, 'cn_' || ${orderId}, ${time}, ${time}
        from ${of} ${each(requests)}`,
    },
    {
      table: "product.reservation",
      insert: `(order_id, state, items, user_id, update_time)
        select ${orderId}, case status when 'CONFIRMED' then 'RESERVED' when 'CANCELLED' then 'RELEASED' when 'REJECTED' then 'RELEASED' else 'COMMITTED' end,
          jsonb_build_array(jsonb_build_object('productId', ${productId(`1 + n % ${products}`)}, 'quantity', 2)), user_id, ${time} from ${of}`,
    },
    {
      table: "notification.notification",
      insert: `(id, event_id, user_id, order_id, kind, state, recipient_name, recipient_address, subject, text, html, message_id, held_until, create_time, send_time)
        select grown.id(ms, at::int, n), grown.id(ms, at::int, n), user_id, ${orderId}, kind, case when n % ${rareEvery(orders)} = 55 and at = 1 then 'FAILED' else 'SENT' end,
          '', '', 'Your order', '', case when n > ${orders} * 0.7 then repeat('<p>Your order</p>', 60) else '' end,
          '<' || ${orderId} || '@grown.example>', ${time}, ${time}, ${time} from ${of} ${each(mails)}`,
    },
    {
      table: "notification.inbox",
      insert: `(subscription, event_id, time) select 'order-mail', grown.id(ms, at::int, n), ${time} from ${newer(14)} ${each(mails)}`,
    },
  ];
}

/** How many customers a shop has that has so many orders. */
function customersOf(orders: number): number {
  return Math.floor(orders / 20);
}

function rareEvery(orders: number): number {
  return Math.floor(orders / rareOrders);
}

function counts(kinds: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(kinds)
    .map(([status, list]) => `when '${status}' then ${list.length}`)
    .join(" ");
}

function accountId(n: string): string {
  return `grown.id(1700000000000, 1, (${n})::bigint)`;
}

function productId(n: string): string {
  return `grown.id(1700000000000, 3, (${n})::bigint)`;
}

function batchId(n: string): string {
  return `grown.id(1700000000000, 4, (${n})::bigint)`;
}
