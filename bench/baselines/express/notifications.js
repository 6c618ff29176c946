import { mailText } from "../shop/requests.js";
import { createJsonApp, createWorker, listen, pool } from "./common.js";

createWorker("mails", async ({ order }) => {
  const { subject, body } = mailText(order);
  await pool.query(
    "insert into mail (order_id, recipient, subject, body) values ($1, $2, $3, $4) on conflict do nothing",
    [order.id, order.email, subject, body],
  );
});

const app = createJsonApp();
app.get("/health", (_request, response) => response.json({ status: "ok" }));
listen(app);
