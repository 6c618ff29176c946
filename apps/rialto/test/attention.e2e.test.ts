import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ledger, openLedger } from "./ledger.ts";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, type Topology } from "./topology.ts";

const cards = [
  { card: "pm_test_capture_refused", reason: "CAPTURE_REFUSED" },
  { card: "pm_test_authorization_expired", reason: "AUTHORIZATION_EXPIRED" },
];

describe("an order whose money cannot be taken when it is to be shipped", () => {
  let topology: Topology;
  let client: RestClient;
  let ledger: Ledger;

  beforeAll(async () => {
    topology = await oneProcess("postgres");
    client = await openRestClient(topology);
    ledger = openLedger(topology.databaseUrl);
  });

  afterAll(async () => {
    await ledger?.close();
    await topology?.stop();
  });

  it.each(cards)(
    "waits for a person, listed as $reason, and an admin's cancel settles it",
    async ({ card, reason }) => {
      const { id: userId, token } = await client.customer();
      const product = await client.product({ stock: 5 });
      const { id } = await client.order(token, product, { card });
      await client.settled(token, id);
      const admin = { token: client.adminToken };
      const waiting = async () =>
        (await client.call("GET", `/api/orders?attention=true&userId=${userId}`, admin)).body.orders;
      expect(await waiting()).toEqual([]);

      await client.post(`/api/orders/${id}:ship`, admin);
      expect((await client.settled(token, id)).attention).toMatchObject({ reason });
      expect(await waiting()).toMatchObject([
        { id, status: "CONFIRMED", pendingAction: "SHIP", attention: { reason } },
      ]);

      await client.post(`/api/orders/${id}:ship`, admin);
      expect((await client.settled(token, id)).attention).toMatchObject({ reason });

      const cancelled = await client.post(`/api/orders/${id}:cancel`, { ...admin, body: { reason: "no money" } });
      expect(cancelled.status).toBe(200);
      expect(await client.settled(token, id)).toMatchObject({ status: "CANCELLED" });
      expect(await waiting()).toEqual([]);
      expect(await client.stock(product)).toEqual({ onHand: 5, reserved: 0, available: 5 });
      expect(await ledger.held(id)).toBe(0n);
      expect(await ledger.taken(id)).toBe(0n);
    },
  );
});
