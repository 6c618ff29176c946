import {
  excessOf,
  explained,
  largeTable,
  listedUsers,
  pagesBefore,
  rowId,
  rowIdIn,
  type TestDatabase,
  testDatabase,
  userIn,
} from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNotificationStore } from "../src/notification/store.ts";
import { notification as service } from "../src/service.ts";

const { rows, limit } = largeTable;
const users = listedUsers;
/** What one order has is sorted. */
const ordersRowsMax = 4;

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  watched = explained(db.database("notification").sql);
  const id = rowIdIn(db.sql);
  // The mail server has been down for half of the time.
  await db.sql`
    insert into notification.notification (id, event_id, user_id, order_id, kind, state, recipient_name,
      recipient_address, subject, text, html, message_id, held_until, create_time)
    select ${id}, ${id}, ${userIn(db.sql)},
      ('01900000-0000-7000-8000-' || lpad(to_hex(n / 4), 12, '0'))::uuid, 'ORDER_CONFIRMED',
      case when n % 4000 = 9 then 'FAILED' when n < ${rows / 2} then 'SENT' else 'QUEUED' end, 'Ada', 'ada@example.com',
      'a subject', 'a text', 'a text', 'm', now(), now()
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze notification.notification`;
});
afterAll(() => db.close());

describe.each(pagesBefore(rowId(rows / 4)))("%s of the messages", (_, after) => {
  const filters = [undefined, users.old, users.rare, users.none].flatMap((userId) =>
    [undefined, rowId(17)].flatMap((orderId) =>
      [undefined, "SENT" as const, "QUEUED" as const, "FAILED" as const].map((state) => ({ userId, orderId, state })),
    ),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    await createNotificationStore({ sql: watched.sql }).list(filter, { after, limit });
    expect(excessOf(await watched.plans(), { sortedMax: ordersRowsMax })).toEqual([]);
  });
});
