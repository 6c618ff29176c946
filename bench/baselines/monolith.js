// The monolith that a good engineer writes in a day: one fastify process on postgres.js, whose statements are prepared.
// An order is one transaction with its key and its outbox row; a worker in the same process reserves the stock,
// authorizes the payment, confirms the order and writes the mail, 50 orders in one transaction.

import postgres from "postgres";
import { createShop } from "./shop/fastify-shop.js";
import { placeOrder } from "./shop/place-order.js";
import { mailText } from "./shop/requests.js";

const batchOrdersMax = 50;
const pollMs = 200;

const sql = postgres(process.env.BENCH_DATABASE_URL, { max: 10, types: { bigint: postgres.BigInt } });

const app = createShop(sql, async (customerId, key, body) => {
  const order = await placeOrder(sql, customerId, key, body, (tx, id) => [
    tx`insert into outbox (order_id, topic) values (${id}, 'order-placed')`,
  ]);
  wake();
  return order;
});

// The worker is woken by each order, and looks by itself now and then.
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
    // The bench never runs out of stock; a shop would then try the orders of the batch one by one.
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

await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
await work();
