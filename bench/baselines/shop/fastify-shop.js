// The HTTP side of the shops on fastify: limits, checks, access log.

import Fastify, { LogController } from "fastify";
import { readOrder } from "./place-order.js";
import { bodyBytesMax, customerOf, faultOf, isId, pageSizeOf, productJson } from "./requests.js";

// `place` takes an order and returns it; undefined where a product is not on sale.
export function createShop(sql, place) {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    logger: { level: "info" },
    // Fastify's own log has two lines for a request; an access log has one.
    logController: new LogController({ disableRequestLogging: true }),
  });
  app.addHook("onResponse", async ({ method, url, log }, { statusCode, elapsedTime }) => {
    log.info({ method, path: url, status: statusCode, durationMs: elapsedTime });
  });
  app.decorateRequest("customerId", "");
  const preHandler = async (request, reply) => {
    const customerId = customerOf(request.headers.authorization);
    if (customerId === undefined) return reply.code(401).send({ message: "sign in" });
    request.customerId = customerId;
  };

  app.post("/api/orders", { preHandler }, async (request, reply) => {
    const fault = faultOf(request.body);
    const key = request.headers["idempotency-key"];
    if (fault !== undefined || key === undefined) return reply.code(400).send({ message: fault ?? "send a key" });
    const order = await place(request.customerId, key, request.body);
    return order ?? reply.code(400).send({ message: "a product is not on sale" });
  });

  app.get("/api/orders/:id", { preHandler }, async (request, reply) => {
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
  return app;
}
