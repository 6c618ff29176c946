import { explained, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNotificationStore } from "../src/notification/store.ts";
import { notification as service } from "../src/service.ts";

/*
 * The lists on tables that are large. "Old" values are common, and none of the newer half of the rows has them: what
 * reads from the newest row on would read half of the table.
 */

const rows = 100_000;
const limit = 21;
const users = { old: id(1), rare: id(2), none: id(3) };

/** The id of the row with that number. */
function id(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  watched = explained(db.database("notification").sql);
  const uuid = db.sql`('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  // The mail server has been down for half of the time.
  await db.sql`
    insert into notification.notification (id, event_id, user_id, order_id, kind, state, recipient_name,
      recipient_address, subject, text, html, message_id, held_until, create_time)
    select ${uuid}, ${uuid}, case when n % 5000 = 7 then ${users.rare}::uuid
        when n < ${rows / 2} and n % 2 = 0 then ${users.old}::uuid
        else ('01900000-0000-7000-8001-' || lpad(to_hex(n % 5000), 12, '0'))::uuid end,
      ('01900000-0000-7000-8000-' || lpad(to_hex(n / 4), 12, '0'))::uuid, 'ORDER_CONFIRMED',
      case when n % 4000 = 9 then 'FAILED' when n < ${rows / 2} then 'SENT' else 'QUEUED' end, 'Ada', 'ada@example.com',
      'a subject', 'a text', 'a text', 'm', now(), now()
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze notification.notification`;
});
afterAll(() => db.close());

/** A page reads its rows, each from a page of its own at worst, and no others. */
async function expectOnePage(): Promise<void> {
  const plans = await watched.plans();
  expect(plans).toHaveLength(1);
  for (const plan of plans) {
    expect(plan.scanned).toEqual([]);
    // What one order has is sorted.
    expect(plan.sortedRows).toBeLessThanOrEqual(4);
    expect(plan.readRows).toBeLessThanOrEqual(limit);
    expect(plan.buffers).toBeLessThanOrEqual(2 * limit + 20);
  }
}

const pages = [
  ["the first page", undefined],
  ["a deep page", id(rows / 4)],
] as const;

describe.each(pages)("%s of the messages", (_, after) => {
  const filters = [undefined, users.old, users.rare, users.none].flatMap((userId) =>
    [undefined, id(17)].flatMap((orderId) =>
      [undefined, "SENT" as const, "QUEUED" as const, "FAILED" as const].map((state) => ({ userId, orderId, state })),
    ),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    await createNotificationStore({ sql: watched.sql }).list(filter, { after, limit });
    await expectOnePage();
  });
});
