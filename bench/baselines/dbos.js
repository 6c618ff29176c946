// The same shop on a general library for durable workflows: DBOS with its queue. An order is one transaction with its
// key; then a workflow of its id is enqueued, whose steps reserve the stock, authorize the payment, confirm the order
// and write the mail. A client that repeats its key enqueues it again, which has no effect where it was.
//
// `npm run bench -- dbos-sweep` shows what BENCH_DBOS_CONCURRENCY and BENCH_DBOS_POLLING_MS are best.

import { DBOS } from "@dbos-inc/dbos-sdk";
import postgres from "postgres";
import { createShop } from "./shop/fastify-shop.js";
import { placeOrder } from "./shop/place-order.js";
import { mailText } from "./shop/requests.js";

const queueName = "orders";
const url = process.env.BENCH_DATABASE_URL;
const sql = postgres(url, { max: 10, types: { bigint: postgres.BigInt } });

async function reserveStock(id) {
  const refused = await sql.begin(async (tx) => {
    // Locked in one order, so that two workflows of the same products cannot wait for each other.
    await tx`select 1 from stock where product_id in (select product_id from order_item where order_id = ${id})
             order by product_id for update`;
    return tx`
      with reserved as (
        update stock s set reserved = s.reserved + i.quantity from order_item i
        where i.order_id = ${id} and s.product_id = i.product_id and s.on_hand - s.reserved >= i.quantity
        returning s.product_id)
      select product_id from order_item where order_id = ${id} except select product_id from reserved`;
  });
  if (refused.length > 0) throw new Error("out of stock");
}

async function authorizePayment(id) {
  await sql`insert into payment (order_id, amount, status)
            select id, total, 'AUTHORIZED' from orders where id = ${id} on conflict do nothing`;
}

async function confirm(id) {
  await sql`update orders set status = 'CONFIRMED', update_time = now() where id = ${id}`;
}

async function sendMail(id) {
  const [order] = await sql`select o.*, c.email from orders o join customer c on c.id = o.customer_id
                            where o.id = ${id}`;
  const { subject, body } = mailText(order);
  await sql`insert into mail (order_id, recipient, subject, body)
            values (${id}, ${order.email}, ${subject}, ${body}) on conflict do nothing`;
}

const checkout = DBOS.registerWorkflow(
  async (id) => {
    await DBOS.runStep(() => reserveStock(id), { name: "reserveStock" });
    await DBOS.runStep(() => authorizePayment(id), { name: "authorizePayment" });
    await DBOS.runStep(() => confirm(id), { name: "confirm" });
    await DBOS.runStep(() => sendMail(id), { name: "sendMail" });
  },
  { name: "checkout" },
);

DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, systemDatabasePoolSize: 20, logLevel: "warn" });
await DBOS.launch();
await DBOS.registerQueue(queueName, {
  workerConcurrency: Number(process.env.BENCH_DBOS_CONCURRENCY),
  minPollingIntervalMs: Number(process.env.BENCH_DBOS_POLLING_MS),
});

const app = createShop(sql, async (customerId, key, body) => {
  const order = await placeOrder(sql, customerId, key, body, () => []);
  if (order !== undefined) await DBOS.startWorkflow(checkout, { workflowID: order.id, queueName })(order.id);
  return order;
});
await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
