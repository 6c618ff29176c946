import { createJsonApp, createQueue, createWorker, listen, pool } from "./common.js";

const orders = createQueue("orders");
createWorker("payments", async ({ order }) => {
  await pool.query(
    "insert into payment (order_id, amount, status) values ($1, $2, 'AUTHORIZED') on conflict do nothing",
    [order.id, order.total],
  );
  await orders.add("confirm", { order });
});

const app = createJsonApp();
app.get("/health", (_request, response) => response.json({ status: "ok" }));
listen(app);
