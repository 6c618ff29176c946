import { isId, pageSizeOf, productJson } from "../shop/requests.js";
import { createJsonApp, createQueue, createWorker, listen, pool } from "./common.js";

const app = createJsonApp();
app.get("/api/products", async (request, response) => {
  const size = pageSizeOf(request.query.pageSize);
  if (size === undefined) return response.status(400).json({ message: "pageSize must be 1 to 100" });
  const { rows } = await pool.query("select * from product where active order by id limit $1", [size + 1]);
  const next = rows.length > size ? rows[size - 1].id : "";
  return response.json({ products: rows.slice(0, size).map(productJson), nextPageToken: next });
});
app.get("/products/:id", async (request, response) => {
  const { id } = request.params;
  const { rows } = isId(id) ? await pool.query("select * from product where id = $1 and active", [id]) : { rows: [] };
  if (rows.length === 0) return response.status(404).json({ message: "no such product" });
  return response.json(rows[0]);
});
listen(app);

const payments = createQueue("payments");
createWorker("stock", async ({ order, items }) => {
  const client = await pool.connect();
  try {
    await client.query("begin");
    // In one order, so that two orders of the same products cannot wait for each other.
    for (const { productId, quantity } of items.toSorted((one, other) => (one.productId < other.productId ? -1 : 1))) {
      const { rowCount } = await client.query(
        "update stock set reserved = reserved + $2 where product_id = $1 and on_hand - reserved >= $2",
        [productId, quantity],
      );
      if (rowCount === 0) throw new Error("out of stock");
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
  await payments.add("authorize", { order });
});
