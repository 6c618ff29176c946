// What every shop of the baselines checks of a request, and how an order is shown.

import { createSecretKey } from "node:crypto";
import jwt from "jsonwebtoken";

export const bodyBytesMax = 128 * 1024;
export const pageSizeMax = 100;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const key = createSecretKey(Buffer.from(process.env.BENCH_JWT_SECRET ?? ""));

export function isId(id) {
  return typeof id === "string" && uuid.test(id);
}

// Returns the customer's id, or undefined where the token is missing or not valid.
export function customerOf(authorization) {
  try {
    return jwt.verify(authorization?.replace(/^Bearer /, "") ?? "", key, { algorithms: ["HS256"] }).sub;
  } catch {
    return undefined;
  }
}

// Returns what is wrong with a new order; undefined where nothing is.
export function faultOf(order) {
  const { items, paymentMethod } = order ?? {};
  if (!Array.isArray(items) || items.length < 1 || items.length > 50) return "items must be 1 to 50";
  if (typeof paymentMethod !== "string" || paymentMethod.length < 1 || paymentMethod.length > 200)
    return "paymentMethod must be 1 to 200 characters";
  const seen = new Set();
  for (const { productId, quantity } of items) {
    if (!isId(productId) || seen.has(productId)) return "each product must be a UUID, and be named once";
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > 1_000_000) return "quantity must be 1 to 1000000";
    seen.add(productId);
  }
  return undefined;
}

export function pageSizeOf(text) {
  const size = text === undefined ? 20 : Number(text);
  return Number.isInteger(size) && size >= 1 && size <= pageSizeMax ? size : undefined;
}

const money = (minorUnits, currencyCode) => ({ currencyCode, minorUnits: `${minorUnits}` });

export function orderJson(order, items) {
  return {
    id: order.id,
    userId: order.customer_id,
    status: order.status,
    items: items.map((item) => ({
      productId: item.product_id,
      name: item.name,
      unitPrice: money(item.unit_price, order.currency),
      quantity: item.quantity,
      total: money(BigInt(item.unit_price) * BigInt(item.quantity), order.currency),
    })),
    total: money(order.total, order.currency),
    paymentMethod: order.payment_method,
    createTime: order.create_time,
    updateTime: order.update_time,
  };
}

export function productJson(product) {
  const { id, name, description, category, price, currency, active } = product;
  return { id, name, description, category, price: money(price, currency), active };
}

export function mailText(order) {
  const total = new Intl.NumberFormat("en", { style: "currency", currency: order.currency }).format(
    Number(order.total) / 100,
  );
  return { subject: "Your order is confirmed", body: `Order ${order.id} is confirmed. It comes to ${total}.` };
}
