import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** The result for the customer. */
export interface CustomerResult {
  readonly made: number;
  /** The duration of each request in milliseconds, sorted. */
  readonly ms: readonly number[];
  /** Requests that were refused, were late, or got no response. */
  readonly refused: readonly string[];
}

/** The customer's timeout: the default deadline of 5 s, and a margin for the network. */
const patienceMs = 6_000;
const password = "the password of a customer";

/**
 * Creates an account and sends one request per second from an address: reads, a sign-up, a login, an order. No retries.
 */
export async function runCustomer(
  url: string,
  o: { readonly seconds: number; readonly address: string; readonly name: string },
): Promise<CustomerResult> {
  const refused: string[] = [];
  const ms: number[] = [];
  const email = `${o.name}-${randomUUID()}@example.com`;
  let token = "";
  let productId = "";
  let orderId = "";

  async function call(
    what: string,
    path: string,
    body?: unknown,
    isSignedIn = false,
  ): Promise<Record<string, unknown>> {
    const startedAt = performance.now();
    try {
      const response = await fetch(url + path, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          "x-forwarded-for": o.address,
          ...(body === undefined ? {} : { "content-type": "application/json", "idempotency-key": randomUUID() }),
          ...(isSignedIn ? { authorization: `Bearer ${token}` } : {}),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(patienceMs),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      refused.push(`${what}: ${response.status} ${text.slice(0, 200)}`);
    } catch (error) {
      refused.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      ms.push(performance.now() - startedAt);
    }
    return {};
  }

  const steps: readonly (() => Promise<void>)[] = [
    async () => {
      const { products } = await call("ListProducts", "/api/products?pageSize=20");
      const [first] = Array.isArray(products) ? products : [];
      if (typeof first?.id === "string") productId = first.id;
    },
    async () => {
      await call("CreateUser", "/api/users", { email: `${randomUUID()}@example.com`, name: "Ada", password });
    },
    async () => {
      const { accessToken } = await call("Login", "/api/auth/login", { email, password });
      if (typeof accessToken === "string") token = accessToken;
    },
    async () => {
      const order = { items: [{ productId, quantity: 1 }], paymentMethod: "pm_test_approved" };
      const { id } = await call("CreateOrder", "/api/orders", order, true);
      if (typeof id === "string") orderId = id;
    },
    async () => void (await call("GetProduct", `/api/products/${productId}`)),
    async () => void (await call("GetOrder", `/api/orders/${orderId}`, undefined, true)),
    async () => void (await call("ListOrders", "/api/orders?pageSize=20", undefined, true)),
  ];

  await call("CreateUser", "/api/users", { email, name: "Ada", password });
  const startedAt = performance.now();
  const calls: Promise<void>[] = [];
  for (let second = 0; second < o.seconds; second += 1) {
    await sleep(Math.max(0, startedAt + second * 1_000 - performance.now()));
    const call = (steps[second % steps.length] ?? steps[0])?.();
    // The first round waits for each response, because later requests depend on it.
    if (second < steps.length) await call;
    if (call !== undefined) calls.push(call);
  }
  await Promise.all(calls);
  return { made: ms.length, ms: ms.sort((one, other) => one - other), refused };
}
