import { randomUUID } from "node:crypto";
import { expect, it, onTestFinished } from "vitest";
import { type Json, openRestClient } from "./rest-client.ts";
import { oneProcess } from "./topology.ts";

/** The checkout is paused, so all orders stay unfinished; far more than the bound would have to be placed to fail. */
const ordersPlacedMax = 5_000;

it("too many unfinished orders: new ones get 503 with Retry-After, placed ones their answer, until the checkout goes on", async () => {
  const topology = await oneProcess("postgres", { RIALTO_UNFINISHED_ORDERS_MAX: "100" });
  onTestFinished(() => topology.stop());
  const client = await openRestClient(topology);
  const { token } = await client.customer();
  const product = await client.product({ stock: 10_000 });
  const place = (key: string) =>
    fetch(`${topology.url}/api/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, "idempotency-key": key },
      body: JSON.stringify({ items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
    });
  const pause = await client.post("/api/subscriptions/checkout:pause", { token: client.adminToken });
  expect(pause.status).toBe(200);

  const firstKey = randomUUID();
  const first: Json = await (await place(firstKey)).json();
  let shed: Response | undefined;
  let shedKey = "";
  for (let n = 0; n < ordersPlacedMax && shed === undefined; n += 1) {
    shedKey = randomUUID();
    const response = await place(shedKey);
    if (response.status === 503) shed = response;
    else expect(response.status).toBe(200);
  }
  expect(Number(shed?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(JSON.stringify(await shed?.json())).toContain("TEMPORARILY_UNAVAILABLE");

  const repeated = await place(firstKey);
  expect({ status: repeated.status, order: await repeated.json() }).toEqual({ status: 200, order: first });

  await client.post("/api/subscriptions/checkout:resume", { token: client.adminToken });
  // The client repeats it with its key until it is accepted.
  const order = await client.order(token, product, { key: shedKey });
  expect(await client.settled(token, order.id)).toMatchObject({ status: "CONFIRMED" });
  expect(await client.settled(token, first.id)).toMatchObject({ status: "CONFIRMED" });
}, 240_000);
