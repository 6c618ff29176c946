import { randomUUID } from "node:crypto";
import { Agent } from "node:http";
import axios from "axios";
import { faultOf, isId, orderJson } from "../shop/requests.js";
import { createJsonApp, createQueue, createWorker, listen, pool, requireCustomer, urls } from "./common.js";

const http = axios.create({ httpAgent: new Agent({ keepAlive: true, maxSockets: 256 }), timeout: 5_000 });
const stock = createQueue("stock");
const mails = createQueue("mails");

const app = createJsonApp();
app.use(requireCustomer);

app.post("/api/orders", async (request, response) => {
  const { body, customerId } = request;
  const fault = faultOf(body);
  const key = request.headers["idempotency-key"];
  if (fault !== undefined || key === undefined) return response.status(400).json({ message: fault ?? "send a key" });
  const known = await pool.query("select order_id from idempotency where customer_id = $1 and key = $2", [
    customerId,
    key,
  ]);
  if (known.rows.length > 0) return response.json(await readOrder(known.rows[0].order_id, customerId));

  const { data: customer } = await http.get(`${urls.users}/users/${customerId}`);
  const products = await Promise.all(
    body.items.map(async ({ productId }) => (await http.get(`${urls.products}/products/${productId}`)).data),
  );
  const items = body.items.map(({ productId, quantity }, index) => {
    const { name, price } = products[index];
    return { product_id: productId, name, unit_price: price, quantity };
  });
  const id = randomUUID();
  const total = items.reduce((sum, item) => sum + BigInt(item.unit_price) * BigInt(item.quantity), 0n);
  const values = [id, customerId, total, products[0].currency, body.paymentMethod];
  const order = await insertOrder(values, items, [customerId, key, id]);
  const job = { id, total: `${total}`, currency: order.currency, email: customer.email };
  await stock.add("reserve", { order: job, items: body.items });
  return response.json(orderJson(order, items));
});

async function insertOrder(values, items, idempotency) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query("insert into idempotency (customer_id, key, order_id) values ($1, $2, $3)", idempotency);
    const { rows } = await client.query(
      `insert into orders (id, customer_id, status, total, currency, payment_method)
       values ($1, $2, 'PENDING', $3, $4, $5) returning *`,
      values,
    );
    for (const item of items) {
      await client.query(
        "insert into order_item (order_id, product_id, name, unit_price, quantity) values ($1, $2, $3, $4, $5)",
        [values[0], item.product_id, item.name, item.unit_price, item.quantity],
      );
    }
    await client.query("commit");
    return rows[0];
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}

app.get("/api/orders/:id", async (request, response) => {
  const { id } = request.params;
  const order = isId(id) ? await readOrder(id, request.customerId) : undefined;
  if (order === undefined) response.status(404).json({ message: "no such order" });
  else response.json(order);
});

async function readOrder(id, customerId) {
  const orders = await pool.query("select * from orders where id = $1 and customer_id = $2", [id, customerId]);
  if (orders.rows.length === 0) return undefined;
  const items = await pool.query("select * from order_item where order_id = $1", [id]);
  return orderJson(orders.rows[0], items.rows);
}

listen(app);

createWorker("orders", async ({ order }) => {
  await pool.query("update orders set status = 'CONFIRMED', update_time = now() where id = $1", [order.id]);
  await mails.add("confirm", { order });
});
