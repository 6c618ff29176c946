import { openDatabase, type Sql } from "@rialto/database";
import { executionsOf, type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuid } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Notification } from "../src/notification/state.ts";
import { createNotificationStore } from "../src/notification/store.ts";
import { notification } from "../src/service.ts";

let current: TestDatabase;
let old: TestDatabase;
beforeAll(async () => {
  current = await testDatabase({ schemas: notification.schemas });
  old = await testDatabase({ schemas: notification.schemas });
});
afterAll(async () => {
  await current.close();
  await old.close();
});

describe("the store of messages", () => {
  it("knows a message that was queued before, though reads still reach the server that was switched over from", async () => {
    const sql = current.database("notification").sql;
    const behind = old.database("notification").sql;
    const moved = new Proxy(sql, {
      apply: (_, __, [text, ...values]: [TemplateStringsArray, ...never[]]) =>
        /^\s*select/.test(text[0] ?? "") ? behind(text, ...values) : sql(text, ...values),
    }) satisfies Sql;
    const store = createNotificationStore({ sql: moved });
    const message = welcome();
    expect((await store.queue(message, 60_000)).claimed).toBe(true);
    expect(await store.queue(message, 60_000)).toMatchObject({ notification: { id: message.id }, claimed: false });
  });

  it("is queued once by many senders at the same moment, and each of them learns of it", async () => {
    const store = createNotificationStore(current.database("notification"));
    const message = welcome();
    const queued = await Promise.all(Array.from({ length: 10 }, () => store.queue(message, 60_000)));
    expect(queued.filter(({ claimed }) => claimed)).toHaveLength(1);
    expect(new Set(queued.map(({ notification: { id } }) => id))).toEqual(new Set([message.id]));
  });
});

describe("messages at the same moment", () => {
  it("are queued by one statement and finished by one, each with its own outcome", async () => {
    const url = current.urlOf("notification");
    // One connection, so that its statements can be counted.
    const database = openDatabase({ url, schema: "notification", service: "notification", connectionsMax: 1 });
    const { sql } = database;
    const store = createNotificationStore(database);
    const messages = Array.from({ length: 30 }, welcome);
    const [known, ...fresh] = messages;
    await store.queue(known as Notification, 60_000); // There are 30.
    const before = [await executionsOf(sql, "with given"), await executionsOf(sql, "finished as")];

    const queued = await Promise.all(messages.map((message) => store.queue(message, 60_000)));
    expect(queued.map(({ notification }) => notification.id)).toEqual(messages.map(({ id }) => id));
    expect(queued.map(({ claimed }) => claimed)).toEqual([false, ...fresh.map(() => true)]);
    expect(queued[0]?.notification).toEqual(known);

    const time = new Date();
    await Promise.all(
      messages.map(({ id, eventId }, n) => {
        const failed = { state: "FAILED", lastError: `refused ${n}` } as const;
        const inbox = { subscription: "order-mail", eventId };
        return n % 2 === 0 ? store.finish(id, { state: "SENT", time }, inbox) : store.finish(id, failed);
      }),
    );
    for (const [n, { id, eventId }] of messages.entries()) {
      const outcome = n % 2 === 0 ? { state: "SENT", sendTime: time } : { state: "FAILED", lastError: `refused ${n}` };
      expect(await store.byId(id)).toMatchObject(outcome);
      const inbox = await sql`select subscription from inbox where event_id = ${eventId}`;
      expect(inbox).toEqual(n % 2 === 0 ? [{ subscription: "order-mail" }] : []);
    }
    const after = [await executionsOf(sql, "with given"), await executionsOf(sql, "finished as")];
    expect(after.map((count, n) => count - (before[n] ?? 0))).toEqual([2, 1]);
    await database.close();
  });

  it("do not fail with the one that Postgres cannot store", async () => {
    const store = createNotificationStore(current.database("notification"));
    const bad = { ...welcome(), content: { subject: "\0", text: "", html: "" } };
    const ended = await Promise.allSettled([welcome(), bad, welcome()].map((message) => store.queue(message, 60_000)));
    expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });
});

function welcome(): Notification {
  const id = uuid();
  return {
    id,
    eventId: uuid(),
    userId: uuid(),
    orderId: undefined,
    resetId: undefined,
    confirmationId: undefined,
    kind: "WELCOME",
    state: "QUEUED",
    recipient: { name: "Ada", address: "ada@example.com" },
    content: { subject: "Welcome", text: "Welcome.", html: "<p>Welcome.</p>" },
    messageId: `<${id}@rialto.example>`,
    lastError: "",
    delays: 0,
    attempts: 0,
    resends: 0,
    createTime: new Date(),
    sendTime: undefined,
  };
}
