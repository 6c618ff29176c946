import { isId } from "../shop/requests.js";
import { createJsonApp, listen, pool } from "./common.js";

const app = createJsonApp();
app.get("/users/:id", async (request, response) => {
  if (!isId(request.params.id)) return response.status(404).json({ message: "no such user" });
  const { rows } = await pool.query("select id, email, name from customer where id = $1", [request.params.id]);
  if (rows.length === 0) return response.status(404).json({ message: "no such user" });
  return response.json(rows[0]);
});
listen(app);
