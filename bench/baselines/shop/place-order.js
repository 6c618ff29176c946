// How the shops on postgres.js take an order: one transaction with its key. Each statement is prepared.

import { randomUUID } from "node:crypto";
import { orderJson } from "./requests.js";

// Returns the order, or the one that the key was used for before; undefined where a product is not on sale. What
// `alsoInsert` returns is part of the transaction.
export function placeOrder(sql, customerId, key, { items, paymentMethod }, alsoInsert) {
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
      ...alsoInsert(tx, id),
    ]);
    return orderJson(order, rows);
  });
}

export async function readOrder(tx, id, customerId) {
  const [[order], items] = await Promise.all([
    tx`select * from orders where id = ${id} and customer_id = ${customerId}`,
    tx`select * from order_item where order_id = ${id}`,
  ]);
  return order === undefined ? undefined : orderJson(order, items);
}
