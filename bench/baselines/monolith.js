// The monolith that a good engineer writes in a day: one fastify process on postgres.js, whose statements are prepared.
// An order is one transaction with its key and its outbox row; a worker in the same process reserves the stock,
// authorizes the payment, confirms the order and writes the mail, 50 orders in one transaction.

import { randomUUID } from "node:crypto";
import Fastify from "fastify";
import postgres from "postgres";
import {
  bodyBytesMax,
  customerOf,
  faultOf,
  isId,
  mailText,
  orderJson,
  pageSizeOf,
  productJson,
} from "./shop/requests.js";

const port = Number(process.argv[2]);
const batchOrdersMax = 50;
const pollMs = 200;

const sql = postgres(process.env.BENCH_DATABASE_URL, { max: 10, types: { bigint: postgres.BigInt } });
const app = Fastify({ bodyLimit: bodyBytesMax, logger: { level: "info" } });

app.decorateRequest("customerId", "");
async function requireCustomer(request, reply) {
  const customerId = customerOf(request.headers.authorization);
  if (customerId === undefined) return reply.code(401).send({ message: "sign in" });
  request.customerId = customerId;
}

app.post("/api/orders", { preHandler: requireCustomer }, async (request, reply) => {
  const fault = faultOf(request.body);
  const key = request.headers["idempotency-key"];
  if (fault !== undefined || key === undefined) return reply.code(400).send({ message: fault ?? "send a key" });
  const order = await placeOrder(request.customerId, key, request.body);
  if (order === undefined) return reply.code(400).send({ message: "a product is not on sale" });
  wake();
  return order;
});

function placeOrder(customerId, key, { items, paymentMethod }) {
  return sql.begin(async (tx) => {
    const id = randomUUID();
    const ids = items.map(({ productId }) => productId);
    // Pipelined: postgres.js sends both before either is answered.
    const [claimed, products] = await Promise.all([
      tx`insert into idempotency (customer_id, key, order_id) values (${customerId}, ${key}, ${id})
         on conflict do nothing returning order_id`,
      tx`select id, name, price, currency from product where id = any(${ids}) and active`,
    ]);
    if (claimed.length === 0) {
      const [known] = await tx`select order_id from idempotency where customer_id = ${customerId} and key = ${key}`;
      return readOrder(tx, known.order_id, customerId);
    }
    if (products.length < ids.length) {
      await tx`delete from idempotency where customer_id = ${customerId} and key = ${key}`;
      return undefined;
    }
    const byId = new Map(products.map((product) => [product.id, product]));
    const rows = items.map(({ productId, quantity }) => {
      const { name, price } = byId.get(productId);
      return { order_id: id, product_id: productId, name, unit_price: price, quantity };
    });
    const total = rows.reduce((sum, { unit_price: price, quantity }) => sum + price * BigInt(quantity), 0n);
    const { currency } = products[0];
    const [[order]] = await Promise.all([
      tx`insert into orders (id, customer_id, status, total, currency, payment_method)
         values (${id}, ${customerId}, 'PENDING', ${total}, ${currency}, ${paymentMethod}) returning *`,
      tx`insert into order_item ${tx(rows)}`,
      tx`insert into outbox (order_id, topic) values (${id}, 'order-placed')`,
    ]);
    return orderJson(order, rows);
  });
}

async function readOrder(tx, id, customerId) {
  const [[order], items] = await Promise.all([
    tx`select * from orders where id = ${id} and customer_id = ${customerId}`,
    tx`select * from order_item where order_id = ${id}`,
  ]);
  return order === undefined ? undefined : orderJson(order, items);
}

app.get("/api/orders/:id", { preHandler: requireCustomer }, async (request, reply) => {
  const { id } = request.params;
  const order = isId(id) ? await readOrder(sql, id, request.customerId) : undefined;
  return order ?? reply.code(404).send({ message: "no such order" });
});

app.get("/api/products", async (request, reply) => {
  const size = pageSizeOf(request.query.pageSize);
  if (size === undefined) return reply.code(400).send({ message: "pageSize must be 1 to 100" });
  const products = await sql`select * from product where active order by id limit ${size + 1}`;
  const next = products.length > size ? products[size - 1].id : "";
  return { products: products.slice(0, size).map(productJson), nextPageToken: next };
});

// The worker: woken by each order, and looks by itself now and then.
let isWoken = false;
let wakeWorker = () => undefined;
function wake() {
  isWoken = true;
  wakeWorker();
}

async function work() {
  for (;;) {
    isWoken = false;
    while ((await confirmBatch()) > 0);
    if (!isWoken) {
      await new Promise((resolve) => {
        wakeWorker = resolve;
        setTimeout(resolve, pollMs);
      });
    }
  }
}

function confirmBatch() {
  return sql.begin(async (tx) => {
    const events = await tx`
      delete from outbox where id in (
        select id from outbox order by id limit ${batchOrdersMax} for update skip locked)
      returning order_id`;
    if (events.length === 0) return 0;
    const ids = events.map(({ order_id: id }) => id);
    const [orders, items] = await Promise.all([
      tx`select o.*, c.email from orders o join customer c on c.id = o.customer_id where o.id = any(${ids})`,
      tx`select product_id, sum(quantity)::int as quantity from order_item where order_id = any(${ids})
         group by product_id order by product_id`,
    ]);
    const reserved = await tx`
      update stock s set reserved = s.reserved + n.quantity
      from (select * from unnest(${items.map((item) => item.product_id)}::uuid[],
        ${items.map((item) => item.quantity)}::int[]) as n (product_id, quantity)) n
      where s.product_id = n.product_id and s.on_hand - s.reserved >= n.quantity
      returning s.product_id`;
    // All or nothing: what a batch cannot have, its orders would be tried for one by one.
    if (reserved.length < items.length) throw new Error("out of stock");
    const mails = orders.map((order) => ({ order_id: order.id, recipient: order.email, ...mailText(order) }));
    const payments = orders.map(({ id, total }) => ({ order_id: id, amount: total, status: "AUTHORIZED" }));
    await Promise.all([
      tx`insert into payment ${tx(payments)}`,
      tx`update orders set status = 'CONFIRMED', update_time = now() where id = any(${ids})`,
      tx`insert into mail ${tx(mails)}`,
    ]);
    return ids.length;
  });
}

await app.listen({ port, host: "127.0.0.1" });
await work();
