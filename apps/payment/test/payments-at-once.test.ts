import { openDatabase } from "@rialto/database";
import { executionsOf, type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPaymentStore } from "../src/payment/store.ts";
import { authorizationKey } from "../src/payment/transitions.ts";
import { payment as service } from "../src/service.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
});
afterAll(() => db.close());

const by = { actor: "service:order", reason: "", traceparent: "" };

describe("payments of orders that are paid for at the same moment", () => {
  it("are read by one statement, and begun and settled by two each at the most", async () => {
    const database = openDatabase({
      url: db.urlOf("payment"),
      schema: "payment",
      service: "payment",
      connectionsMax: 1,
    });
    let commits = 0;
    const onCommitted = () => {
      commits += 1;
    };
    const store = createPaymentStore({ database, onCommitted });
    const reads = () => executionsOf(database.sql, 'order_id" = any');
    const orderIds = Array.from({ length: 24 }, () => uuidv7());
    const command = { userId: uuidv7(), amount: 100n, currency: "EUR", paymentMethod: "card" };

    const begun = await Promise.all(
      orderIds.map((orderId) => {
        const operation = { kind: "AUTHORIZE", key: authorizationKey(orderId), amount: 100n, ...by } as const;
        const event = { ...command, orderId, kind: "AUTHORIZATION_STARTED", operation } as const;
        return store.commit({ id: uuidv7(), before: undefined, event, time: new Date(), ...by });
      }),
    );
    expect(begun.every(({ kind }) => kind === "COMMITTED")).toBe(true);
    expect(commits).toBeLessThanOrEqual(2);

    const before = await reads();
    const found = await Promise.all([...orderIds, uuidv7()].map((orderId) => store.byOrder(orderId)));
    expect(found.map((payment) => payment?.orderId)).toEqual([...orderIds, undefined]);
    expect((await reads()) - before).toBe(1);

    commits = 0;
    const settled = await Promise.all(
      found.flatMap((payment) => {
        if (payment === undefined) return [];
        const event = { kind: "AUTHORIZED", key: authorizationKey(payment.orderId), reference: "r" } as const;
        return [store.commit({ id: payment.id, before: payment, event, time: new Date(), ...by })];
      }),
    );
    expect(settled.every(({ kind }) => kind === "COMMITTED")).toBe(true);
    expect(commits).toBeLessThanOrEqual(2);
    await store.close();
    await database.close();
  });
});
