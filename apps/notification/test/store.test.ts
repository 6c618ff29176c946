import type { Sql } from "@rialto/database";
import { type TestDatabase, testDatabase } from "@rialto/testing";
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
