import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { admin, type Topology } from "./topology.ts";

/** JSON of any shape, read by name. */
// biome-ignore lint/suspicious/noExplicitAny: an answer has any shape; tests assert each field that they read
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** A client of the gateway's REST API, with retries, and helpers for what the tests need. */
export interface RestClient {
  /** Sends a request. Retries reads and requests with a key while the system is too busy, until the test ends. */
  call(method: string, path: string, o?: { token?: string; body?: unknown; key?: string }): Promise<Answer>;
  /** Posts with a new key, and therefore with retries. */
  post(path: string, o?: { token?: string; body?: unknown }): Promise<Answer>;
  readonly adminToken: string;
  customer(): Promise<{ id: string; email: string; token: string }>;
  /** Creates a product with this stock and returns its id. */
  product(o: { stock: number; price?: string; currency?: string; name?: string; active?: boolean }): Promise<string>;
  stock(productId: string): Promise<{ onHand: number; reserved: number; available: number }>;
  /** Places an order and returns it. */
  order(token: string, productId: string, o?: { quantity?: number; card?: string; key?: string }): Promise<Json>;
  /** Returns the order once it is at rest, by watching its stream. */
  settled(token: string, orderId: string): Promise<Json>;
  payments(orderId: string): Promise<Json[]>;
}

export async function openRestClient(topology: Pick<Topology, "url">): Promise<RestClient> {
  const once: RestClient["call"] = async (method, path, o = {}) => {
    const response = await fetch(`${topology.url}${path}`, {
      method,
      headers: {
        ...(o.body === undefined ? {} : { "content-type": "application/json" }),
        ...(o.token === undefined ? {} : { authorization: `Bearer ${o.token}` }),
        ...(o.key === undefined ? {} : { "idempotency-key": o.key }),
      },
      ...(o.body === undefined ? {} : { body: JSON.stringify(o.body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  const call: RestClient["call"] = async (method, path, o = {}) => {
    const isSafe = method === "GET" || o.key !== undefined;
    for (;;) {
      const answer = await once(method, path, o).catch((error: unknown) => {
        if (!isSafe) throw error;
      });
      if (answer !== undefined && !(isSafe && asksToRepeat(answer))) return answer;
      await sleep(repeatPauseMs);
    }
  };
  const post: RestClient["post"] = (path, o = {}) => call("POST", path, { body: {}, ...o, key: randomUUID() });
  const requireOk = async (...request: Parameters<RestClient["call"]>): Promise<Json> => {
    const answer = await call(...request);
    if (answer.status !== 200) throw new Error(`${request[0]} ${request[1]}: ${JSON.stringify(answer)}`);
    return answer.body;
  };
  const adminToken: string = (await requireOk("POST", "/api/auth/login", { body: admin, key: randomUUID() }))
    .accessToken;
  return {
    call,
    post,
    adminToken,
    async customer() {
      const email = `${randomUUID()}@customer.test`;
      const password = "a password of some length";
      const user = await requireOk("POST", "/api/users", {
        body: { email, name: "Ada <Lovelace>", password },
        key: randomUUID(),
      });
      const session = await requireOk("POST", "/api/auth/login", { body: { email, password }, key: randomUUID() });
      return { id: user.id, email, token: session.accessToken };
    },
    async product({ stock, price = "1250", currency = "EUR", name = "Teapot", active = true }) {
      const body = {
        name,
        description: "",
        category: "test",
        price: { currencyCode: currency, minorUnits: price },
        active,
      };
      const product = await requireOk("POST", "/api/products", { token: adminToken, body, key: randomUUID() });
      if (stock > 0) {
        const adjustment = { delta: stock, reason: "delivery" };
        await requireOk("POST", `/api/products/${product.id}/stock:adjust`, {
          token: adminToken,
          body: adjustment,
          key: randomUUID(),
        });
      }
      return product.id;
    },
    async stock(productId) {
      const { onHand, reserved, available } = await requireOk("GET", `/api/products/${productId}/stock`);
      return { onHand, reserved, available };
    },
    order(token, productId, { quantity = 1, card = "pm_test_approved", key = randomUUID() } = {}) {
      const body = { items: [{ productId, quantity }], paymentMethod: card };
      return requireOk("POST", "/api/orders", { token, body, key });
    },
    async settled(token, orderId) {
      // Streams have a deadline as well, so a client restarts a watch that was cut off.
      for (;;) {
        const order = await watchToTheEnd(topology.url, token, orderId);
        if (order !== undefined) return order;
        await sleep(repeatPauseMs);
      }
    },
    async payments(orderId) {
      return (await requireOk("GET", `/api/payments?orderId=${orderId}`, { token: adminToken })).payments;
    },
  };
}

const repeatPauseMs = 200;

/**
 * gRPC's ABORTED (a concurrent call with the same key), UNAVAILABLE and DEADLINE_EXCEEDED. A retried login opens
 * another session.
 */
const asksToRepeat = ({ status, body }: Answer) => status === 503 || status === 504 || body?.code === 10;
const endsToRepeat = new Set(["aborted", "unavailable", "deadline_exceeded"]);

/**
 * Returns the order in the last message of its stream; undefined if the stream was cut off before the order came to
 * rest. Connect's JSON: each message follows a byte of flags and four of length; the last one is the trailer.
 */
async function watchToTheEnd(url: string, token: string, orderId: string): Promise<Json> {
  const message = new TextEncoder().encode(JSON.stringify({ id: orderId }));
  const body = new Uint8Array(5 + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, 5);
  const response = await fetch(`${url}/rialto.order.v1.OrderService/WatchOrder`, {
    method: "POST",
    headers: { "content-type": "application/connect+json", authorization: `Bearer ${token}` },
    body,
  });
  if (response.status === 503 || response.status === 504) return undefined;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const view = new DataView(bytes.buffer);
  let order: Json;
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at + 1);
    const part = JSON.parse(new TextDecoder().decode(bytes.subarray(at + 5, at + 5 + length)));
    if (bytes[at] === 2) {
      if (endsToRepeat.has(part.error?.code)) return undefined;
      if (part.error !== undefined) throw new Error(`watching ${orderId}: ${JSON.stringify(part.error)}`);
    } else order = part.order;
    at += 5 + length;
  }
  return order;
}
